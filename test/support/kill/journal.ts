import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * What one consumer process did, line by line, written so that a SIGKILL loses nothing that was written: the line is the operating
 * system's before the next thing is done.
 *
 *     S <ns> <member>                                a process began
 *     B <ns> <batch>                                 a batch was handed over
 *     X <ns> <scn> <partition> <table key> <state>   a change was dealt with
 *     C <ns> <batch>                                 the commit of the batch resolved
 *     F <ns> <batch> <partitions>                    it resolved, but not for these
 *
 * <ns> is CLOCK_MONOTONIC, which all processes of a machine share.
 */
export class JournalWriter {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(kind: 'S' | 'B' | 'X' | 'C' | 'F', ...fields: (string | number)[]): void {
    writeSync(this.#file, `${[kind, process.hrtime.bigint(), ...fields].join(' ')}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

export interface JournalChange {
  readonly atNs: bigint;
  readonly scn: number;
  readonly partition: number;
  /** Of the walk's table: the id. */
  readonly id: number;
  readonly state: number;
  /** Process and batch: `2/17`. */
  readonly batch: string;
}

/** The journal of one member, all of its incarnations. */
export interface Journal {
  readonly changes: readonly JournalChange[];
  /** When the commit of a batch resolved, by its name. */
  readonly committedNs: ReadonlyMap<string, bigint>;
  readonly starts: number;
}

export function readJournal(path: string, member: string): Journal {
  const changes: JournalChange[] = [];
  const committedNs = new Map<string, bigint>();
  let starts = 0;
  let batch = '';
  const lines = readFileSync(path, 'utf8').split('\n');
  for (const line of lines.slice(0, -1)) {
    const [kind, ns = '', ...fields] = line.split(' ');
    const atNs = BigInt(ns);
    const nameOf = (number: string | undefined): string => `${member}/${starts}/${number ?? ''}`;
    switch (kind) {
      case 'S':
        starts++;
        break;
      case 'B':
        batch = nameOf(fields[0]);
        break;
      case 'X': {
        const [scn, partition, id, state] = fields.map(Number);
        if (scn === undefined || partition === undefined || id === undefined || state === undefined) {
          throw new Error(`a line of the journal is cut: ${line}`);
        }
        changes.push({ atNs, scn, partition, id, state, batch });
        break;
      }
      case 'C':
        committedNs.set(nameOf(fields[0]), atNs);
        break;
      case 'F':
        break;
      default:
        throw new Error(`a line of the journal is none: ${line}`);
    }
  }
  return { changes, committedNs, starts };
}
