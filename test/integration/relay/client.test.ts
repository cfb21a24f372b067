import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect, type RelayClient } from '../../../src/client/connect.ts';
import { fileCheckpoints } from '../../../src/client/file-checkpoints.ts';
import type { ChangeStream, StreamOptions } from '../../../src/core/consumer.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { RelayStream } from '../../../src/relay/relay-api.ts';
import { Relay } from '../../../src/relay/relay.ts';
import { createRelayServer, type RelayServer } from '../../../src/relay/server/relay-server.ts';
import { streamOf } from '../../../src/relay/server/served-relay.ts';
import { FakeSource } from '../../../src/testing/fake-source.ts';
import { FakePosition, FakeStore } from '../../../src/testing/fake-store.ts';
import { STATES } from '../../support/stream/log-bytes.ts';

const IDS = 50;
const SOON = { delayMinMs: 5, delayMaxMs: 50 };
const PATIENTLY = { timeout: 30_000 };

/** A relay over a fake source, with its server: can be killed and started again. */
class TestRelay {
  readonly store: FakeStore = new FakeStore();
  readonly directory: string;
  port = 0;
  #relay: Relay | null = null;
  #server: RelayServer | null = null;
  #changes = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  get relay(): Relay {
    if (this.#relay === null) throw new Error('the relay does not run');
    return this.#relay;
  }

  get stream(): RelayStream {
    return streamOf(this.relay, 'shop');
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.#relay = await Relay.open({
      directory: this.directory,
      streams: {
        shop: {
          partitions: 16,
          openSource: ({ position }) =>
            Promise.resolve(
              new FakeSource(this.store, { from: position === null ? 'earliest' : FakePosition.parse(position) }),
            ),
        },
      },
    });
    this.#server = await createRelayServer({
      relay: this.#relay,
      http: { host: '127.0.0.1', port: this.port },
      log: silentLogger,
      version: '0.0.0',
    });
    ({ port: this.port } = await this.#server.listen());
  }

  async stop(): Promise<void> {
    await this.#server?.close({ graceMs: 0 });
    await this.#relay?.close();
    this.#server = null;
    this.#relay = null;
  }

  /** Transactions of these sizes: the ids go round, so that each has states 1, 2, 3, … */
  commit(...sizes: readonly number[]): void {
    for (const size of sizes) {
      const rows = Array.from({ length: size }, () => {
        const id = this.#changes % IDS;
        const state = Math.floor(this.#changes / IDS) + 1;
        this.#changes++;
        return { id, state };
      });
      this.store.commit({ table: STATES, kind: 'insert', rows });
    }
  }

  get changes(): number {
    return this.#changes;
  }
}

let relay: TestRelay;
let client: RelayClient;

beforeEach(async () => {
  relay = new TestRelay(await mkdtemp(join(tmpdir(), 'tidings-client-')));
  await relay.start();
  client = connect(relay.url, { reconnect: SOON });
});

afterEach(async () => {
  await client.close();
  await relay.stop();
  await rm(relay.directory, { recursive: true });
});

interface State {
  readonly id: number;
  readonly state: number;
}

/** What consumers did, all together: the states that each id went through. */
class Effects {
  readonly states = new Map<number, number[]>();
  count = 0;

  apply({ id, state }: State): void {
    const states = this.states.get(id) ?? [];
    this.states.set(id, states);
    states.push(state);
    this.count++;
  }

  /** Ids whose states are not 1, 2, 3, … with at most repetitions in between. */
  get outOfOrder(): string[] {
    return [...this.states]
      .filter(([, states]) => states.some((state, i) => state > Math.max(0, ...states.slice(0, i)) + 1))
      .map(([id, states]) => `${id}: ${states.join(' ')}`);
  }

  get exact(): boolean {
    return [...this.states.values()].every((states) => states.every((state, i) => state === i + 1));
  }

  /** Whether each id has got to its last state. */
  reached(changes: number): boolean {
    return Array.from({ length: Math.min(IDS, changes) }).every((_, id) => {
      const last = Math.floor((changes - 1 - id) / IDS) + 1;
      return this.states.get(id)?.at(-1) === last;
    });
  }
}

async function consume(stream: ChangeStream<State>, effects: Effects, until = Infinity): Promise<void> {
  for await (const batch of stream) {
    for (const { after } of batch.changes) if (after !== null) effects.apply(after);
    await batch.commit();
    if (effects.count >= until) break;
  }
}

describe('a plain reader', () => {
  const ways: Readonly<Record<string, (options: StreamOptions) => ChangeStream<State>>> = {
    'over HTTP': (options) => client.stream<State>('shop', options),
    'in process': (options) => relay.relay.stream<State>('shop', options),
  };

  test.for(Object.keys(ways))(
    '%s gets every change once, typed, from the beginning and while they come in',
    async (way) => {
      relay.commit(5, 1, 300, 7);
      const effects = new Effects();
      const stream = ways[way]?.({ from: 'earliest' }) as ChangeStream<State>;
      const reading = consume(stream, effects, 400);
      await expect.poll(() => effects.count, PATIENTLY).toBe(313);
      relay.commit(80, 7);
      await reading;
      expect(effects.count).toBe(400);
      expect(effects.exact).toBe(true);
    },
  );

  test('goes on exactly where it was when the relay is started again, without repeating a change', async () => {
    relay.commit(...Array.from({ length: 200 }, () => 10));
    const effects = new Effects();
    const reading = consume(client.stream<State>('shop', { from: 'earliest' }), effects, 3000);
    await expect.poll(() => effects.count, PATIENTLY).toBe(2000);
    await relay.stop();
    relay.commit(...Array.from({ length: 100 }, () => 10));
    await relay.start();
    await reading;
    expect(effects.count).toBe(3000);
    expect(effects.exact).toBe(true);
  });

  test('begins at its stored checkpoint after a restart of its own, and refuses the file of another stream', async () => {
    relay.commit(30, 30);
    const path = join(relay.directory, 'reader.checkpoint');
    const options: StreamOptions = { from: 'earliest', untilEnd: true, checkpoints: fileCheckpoints(path) };
    await expect.poll(() => relay.stream.log.visible.last, PATIENTLY).toBeGreaterThan(0);
    const effects = new Effects();
    while (effects.count < 60) await consume(client.stream<State>('shop', options), effects);
    relay.commit(40);
    while (effects.count < 100) {
      await consume(client.stream<State>('shop', { ...options, checkpoints: fileCheckpoints(path) }), effects);
    }
    expect(effects.count).toBe(100);
    expect(effects.exact).toBe(true);
    await relay.stop();
    await rm(join(relay.directory, 'streams'), { recursive: true });
    await relay.start();
    relay.commit(1);
    const again = consume(client.stream<State>('shop', { ...options, checkpoints: fileCheckpoints(path) }), effects);
    await expect(again).rejects.toMatchObject({
      code: 'SCN_UNKNOWN',
      message: expect.stringMatching(
        `${path} is one of a former stream shop, made .*: the stream was made anew`,
      ) as string,
    });
  });

  test('is told at once what waiting cannot cure', async () => {
    await expect(consume(client.stream<State>('shpo'), new Effects())).rejects.toMatchObject({
      code: 'STREAM_UNKNOWN',
    });
    await expect(consume(client.stream<State>('shop', { from: 9e15 }), new Effects())).rejects.toMatchObject({
      code: 'SCN_UNKNOWN',
    });
    expect(await client.streams()).toMatchObject([{ name: 'shop' }]);
  });

  test('gets only what its filters pass, and moves its checkpoint past the rest', async () => {
    relay.commit(500);
    const seen: State[] = [];
    const options: StreamOptions = { from: 'earliest', where: { 'shop.states': 'state >= 9' }, untilEnd: true };
    await expect.poll(() => relay.stream.log.visible.lastCommitUs, PATIENTLY).toBeGreaterThan(0);
    while (seen.length < 100) {
      seen.length = 0;
      for await (const batch of client.stream<State>('shop', options)) {
        for (const { after } of batch.changes) if (after !== null) seen.push(after);
        await batch.commit();
      }
    }
    expect(seen.every(({ state }) => state === 9 || state === 10)).toBe(true);
    expect(seen.length).toBe(100);
  });
});

describe('a group', () => {
  test('two members share the work; each id stays in order while one joins, leaves and dies', async () => {
    const effects = new Effects();
    const options: StreamOptions = { group: 'search', from: 'earliest' };
    const first = client.stream<State>('shop', options);
    const running = [consume(first, effects)];
    relay.commit(...Array.from({ length: 50 }, () => 20));
    await expect.poll(() => effects.reached(relay.changes), PATIENTLY).toBe(true);
    const assigned: number[] = [];
    const second = client.stream<State>('shop', {
      ...options,
      onAssigned: (partitions) => void assigned.push(...partitions),
    });
    running.push(consume(second, effects));
    await expect.poll(() => assigned.length, PATIENTLY).toBe(8);
    relay.commit(...Array.from({ length: 50 }, () => 20));
    await expect.poll(() => effects.reached(relay.changes), PATIENTLY).toBe(true);
    // Nobody died so far: nothing was repeated.
    expect(effects.exact).toBe(true);
    await first.close();
    relay.commit(...Array.from({ length: 50 }, () => 20));
    await expect.poll(() => effects.reached(relay.changes), PATIENTLY).toBe(true);
    expect(effects.exact).toBe(true);
    await second.close();
    await Promise.all(running);
  });

  test('survives a relay that is started again in the middle of the work: no id skips a state', async () => {
    const effects = new Effects();
    const options: StreamOptions = { group: 'search', from: 'earliest' };
    const streams = [client.stream<State>('shop', options), relay.relay.stream<State>('shop', options)];
    // The second is in the relay's own process and ends with it.
    await streams[1]?.close();
    streams[1] = client.stream<State>('shop', options);
    const running = streams.map((stream) => consume(stream, effects));
    for (let round = 0; round < 3; round++) {
      relay.commit(...Array.from({ length: 100 }, () => 10));
      await expect.poll(() => effects.count, PATIENTLY).toBeGreaterThan(round * 1000 + 200);
      await relay.stop();
      await relay.start();
    }
    await expect.poll(() => effects.reached(relay.changes), PATIENTLY).toBe(true);
    // What was fenced came again, and is committed; partitions without a change get there by the relay's signs of progress.
    const checkpoints = (): ReadonlySet<number> =>
      new Set(relay.stream.groups.get('search')?.partitions.map(({ checkpoint }) => checkpoint));
    await expect.poll(checkpoints, PATIENTLY).toEqual(new Set([relay.stream.log.visible.last]));
    expect(effects.outOfOrder).toEqual([]);
    await Promise.all(streams.map((stream) => stream.close()));
    await Promise.all(running);
    expect(relay.stream.groups.get('search')?.members).toEqual([]);
  });
});
