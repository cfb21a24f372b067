/**
 * The consumers that must not disturb the others, in a process of their own: two that stopped reading (lines and batches), one whose
 * work fails with every batch and that begins anew each time, and one that is far behind and reads everything as lines through a
 * condition on every row, again and again. Arguments: relay URL, stream.
 */
import { get, type IncomingMessage } from 'node:http';
import { constants, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { connect } from '../../../src/client/connect.ts';
import type { IsolationAnswer, IsolationRequest } from './isolation-messages.ts';
import { StoppedReader } from './stopped-reader.ts';

const [url = '', stream = ''] = process.argv.slice(2);
const ACCEPTS = ['application/x-ndjson', 'application/vnd.tidings.batches'];
/** Passes one row of a hundred, after it has looked at all of them. */
const WHERE = "isolation.backlog:body like '%needle%' and id >= 0";

function say(answer: IsolationAnswer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

class Trouble {
  readonly #stop: AbortController = new AbortController();
  readonly #stopped: StoppedReader[] = [];
  readonly #running: Promise<void>[] = [];
  #failures = 0;
  #catchUpBytes = 0;

  /** Resolves when each of them has begun. */
  async start(): Promise<void> {
    for (const accept of ACCEPTS) {
      this.#stopped.push(await StoppedReader.start(url, stream, accept));
    }
    this.#running.push(this.#fail(), this.#catchUp());
    while (this.#failures === 0 || this.#catchUpBytes === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<{ failures: number; catchUpBytes: number }> {
    this.#stop.abort();
    for (const reader of this.#stopped) reader[Symbol.dispose]();
    await Promise.all(this.#running);
    return { failures: this.#failures, catchUpBytes: this.#catchUpBytes };
  }

  /** Its checkpoint stays where it is, since it never commits. */
  async #fail(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await using client = connect(url);
      try {
        for await (const batch of client.stream(stream, { from: 'earliest', signal })) {
          if (batch.changes.length > 0) throw new Error('this consumer cannot do it');
        }
      } catch {
        this.#failures++;
      }
    }
  }

  async #catchUp(): Promise<void> {
    const { signal } = this.#stop;
    const query = new URLSearchParams({ from: 'earliest', limit: '1000000', where: WHERE });
    while (!signal.aborted) {
      await this.#pass(`${url}/v1/streams/${stream}/changes?${query.toString()}`, signal);
    }
  }

  #pass(address: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = get(
        address,
        { signal, headers: { accept: 'application/x-ndjson' } },
        (response: IncomingMessage) => {
          response.on('data', (chunk: Buffer) => (this.#catchUpBytes += chunk.length));
          response.on('error', () => resolve());
          response.on('close', () => resolve());
          if (response.statusCode !== 200) reject(new Error(`the relay answered ${response.statusCode}`));
        },
      );
      request.on('error', (error) => (signal.aborted ? resolve() : reject(error)));
    });
  }
}

// What they use up themselves is not the relay's doing: on a machine with few cores the others must not lack it.
setPriority(constants.priority.PRIORITY_LOW);
let trouble: Trouble | null = null;
say({ kind: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  const { kind } = JSON.parse(line) as IsolationRequest;
  if (kind === 'start') {
    trouble = new Trouble();
    await trouble.start();
    say({ kind: 'ready' });
  } else if (kind === 'stop') {
    const done = await trouble?.stop();
    say({ kind: 'trouble', failures: done?.failures ?? 0, catchUpBytes: done?.catchUpBytes ?? 0 });
  }
}
await trouble?.stop();
