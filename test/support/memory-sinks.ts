import { TidingsError } from '../../src/core/errors.ts';
import type { DeadLetter, RedriveOutcome, SinkControl, SinkService, SinkStatus } from '../../src/core/sink-service.ts';

/** A sink that writes nowhere: it is what a test puts there, and does what it is told. */
export class MemorySink implements SinkControl {
  current: SinkStatus;
  letters: DeadLetter[] = [];
  outcome: RedriveOutcome = { written: 0, left: 0, refused: [] };
  readonly redriven: (number | null)[] = [];

  constructor(status: Partial<SinkStatus> & { readonly name: string }) {
    this.current = {
      type: 'mysql',
      stream: 'shop',
      order: 'key',
      promise: 'transactional',
      state: 'running',
      error: null,
      rows: 0,
      batches: 0,
      pending: 0,
      lagMs: 0,
      writtenUs: null,
      parked: 0,
      parkedKeys: 0,
      ...status,
    };
  }

  status(): SinkStatus {
    return this.current;
  }

  pause(): Promise<void> {
    this.current = { ...this.current, state: 'paused' };
    return Promise.resolve();
  }

  resume(): Promise<void> {
    this.current = { ...this.current, state: 'running', error: null };
    return Promise.resolve();
  }

  deadLetters({
    after = 0,
    limit = Infinity,
  }: { readonly after?: number; readonly limit?: number } = {}): DeadLetter[] {
    return this.letters.filter(({ id }) => id > after).slice(0, limit);
  }

  deadLetter(id: number): DeadLetter {
    const letter = this.letters.find((each) => each.id === id);
    if (letter === undefined) throw new TidingsError('DEAD_LETTER_UNKNOWN', `there is no dead letter ${id}`);
    return letter;
  }

  edit(id: number, change: DeadLetter['change']): DeadLetter {
    const edited = { ...this.deadLetter(id), change, edited: true };
    this.letters = this.letters.map((each) => (each.id === id ? edited : each));
    return edited;
  }

  drop(id: number): void {
    this.deadLetter(id);
    this.letters = this.letters.filter((each) => each.id !== id);
  }

  redrive(id: number | null): Promise<RedriveOutcome> {
    if (id !== null) this.deadLetter(id);
    this.redriven.push(id);
    return Promise.resolve(this.outcome);
  }
}

export function sinkService(...sinks: readonly MemorySink[]): SinkService {
  return { all: new Map(sinks.map((sink) => [sink.current.name, sink])) };
}

/** A change that was set aside, with what a test says of it. */
export function deadLetter(letter: Partial<DeadLetter> & Pick<DeadLetter, 'id' | 'change'>): DeadLetter {
  const { database, name } = letter.change.table;
  return {
    sink: 'copy',
    chain: `chain ${letter.id}`,
    target: `${database}.${name}`,
    reason: null,
    attempts: 1,
    parkedMs: 1_795_166_103_000,
    triedMs: null,
    edited: false,
    ...letter,
  };
}
