import { expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../logger.ts';
import type { ReplicaLag, SnapshotReader } from '../snapshot.ts';
import type { SnapshotLimits } from './snapshot-state.ts';
import { SourceLoad } from './source-load.ts';

/** What a server and its replicas say at each look; time passes only where somebody sleeps. */
class Scene {
  readonly logged: string[] = [];
  readonly waits: (string | null)[] = [];
  readonly clock: Clock;
  readonly log: Logger;
  looks = 0;
  nowMs = Date.UTC(2026, 10, 20);
  load: SourceLoad | null = null;

  constructor() {
    this.clock = {
      nowMs: () => this.nowMs,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        const { for: what, because } = this.load?.pause ?? { for: null, because: null };
        this.waits.push(because === null ? what : `${what}: ${because}`);
        this.nowMs += ms;
      },
    };
    const add = (_fields: object, message: string): void => void this.logged.push(message);
    this.log = { debug: add, info: add, warn: add, error: add, child: () => this.log };
  }

  loadWith(limits: SnapshotLimits): SourceLoad {
    this.load = new SourceLoad(limits, this);
    return this.load;
  }

  /** Its replicas say one after the other of these, and the last one for ever. */
  reader(...answers: readonly (readonly ReplicaLag[] | Promise<readonly ReplicaLag[]>)[]): SnapshotReader {
    const replicaLags = async (): Promise<readonly ReplicaLag[]> =>
      answers[Math.min(this.looks++, answers.length - 1)] ?? [];
    return { threadsRunning: async () => 1, replicaLags } as unknown as SnapshotReader;
  }
}

const { signal } = new AbortController();

function lag(replica: string, seconds: number | null, problem: string | null = null): ReplicaLag {
  return { replica, seconds, problem };
}

test('no chunk is begun until every replica is near enough, and what each one lacks is told', async () => {
  const scene = new Scene();
  const load = scene.loadWith({ replicaLagSeconds: 10 });
  const reader = scene.reader(
    [lag('a:1', 11), lag('b:1', 3), lag('c:1', null, 'its replication does not run')],
    [lag('a:1', 10), lag('b:1', 0), lag('c:1', null)],
    [lag('a:1', 10), lag('b:1', 0), lag('c:1', 0)],
  );
  await load.admitted(reader, signal);
  expect(scene.waits).toEqual([
    'replica: a:1 is 11 s behind; c:1: its replication does not run',
    'replica: c:1: its lag is not known',
  ]);
  expect(load.pause).toBeNull();
  expect(scene.logged).toEqual(['the snapshot waits for a replica', 'the snapshot goes on: no replica lags any more']);
});

test('replicas that are near enough are asked once a second, not for each chunk', async () => {
  const scene = new Scene();
  const load = scene.loadWith({ replicaLagSeconds: 10 });
  const reader = scene.reader([lag('a:1', 10)]);
  for (let chunk = 0; chunk < 30; chunk++) {
    await load.admitted(reader, signal);
    scene.nowMs += 100;
  }
  expect(scene.looks).toBe(3);
  expect(scene.waits).toEqual([]);
  expect(scene.logged).toEqual([]);
});

test('nobody asks replicas without such a limit', async () => {
  const scene = new Scene();
  await scene.loadWith({ threadsRunning: 5 }).admitted(scene.reader([lag('a:1', null)]), signal);
  expect(scene.looks).toBe(0);
});

test('a limit that cannot be kept, for want of replicas, is refused', () => {
  const reader = { threadsRunning: async () => 1 } as unknown as SnapshotReader;
  const { loadWith } = Scene.prototype;
  const refused = expect.objectContaining({ code: 'SNAPSHOT_INVALID' });
  expect(() => loadWith.call(new Scene(), { replicaLagSeconds: 10 }).check(reader)).toThrow(refused);
  expect(() => loadWith.call(new Scene(), {}).check(reader)).not.toThrow();
});

test('who is called off while a replica does not answer need not wait for it', async () => {
  const scene = new Scene();
  const load = scene.loadWith({ replicaLagSeconds: 10 });
  const stop = new AbortController();
  const waiting = load.admitted(scene.reader(new Promise(() => undefined)), stop.signal);
  stop.abort(new Error('called off'));
  await expect(waiting).rejects.toThrow('called off');
});
