import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { RelayState } from '../../src/relay/state/relay-state.ts';
import { COMPILE_CACHE } from './cli-process.ts';

// A process of its own that keeps the state of a relay, so that it can be killed, or run as somebody else.

const PARTITIONS = 8;
const ENV = { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE };

export interface StateProcess {
  readonly process: ChildProcess;
  /** What was answered as durable so far, per partition: the highest SCN. */
  readonly acknowledged: ReadonlyMap<number, number>;
  /** Resolves as soon as so many commits were acknowledged. */
  whenAcknowledged(count: number): Promise<void>;
  /** Resolves when it is gone, with what it wrote to stderr. */
  readonly ended: Promise<string>;
}

/** Commits to group `g` as fast as the state takes it, with eight commits on their way at a time, and says what was acknowledged. */
export function startCommitting(directory: string, failpoints = ''): StateProcess {
  const child = spawn(process.execPath, [import.meta.filename, 'commit', directory, failpoints], { env: ENV });
  const acknowledged = new Map<number, number>();
  let count = 0;
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  createInterface(child.stdout).on('line', (line) => {
    const [partition = 0, scn = 0] = line.split(' ').map(Number);
    acknowledged.set(partition, Math.max(acknowledged.get(partition) ?? 0, scn));
    count++;
    for (const { resolve } of waiting.filter((waiter) => waiter.count <= count)) resolve();
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  // 'close' comes when all of its output has been read, 'exit' may come before.
  const ended = new Promise<string>((resolve) => {
    child.once('close', () => resolve(errors));
  });
  return {
    process: child,
    acknowledged,
    ended,
    whenAcknowledged: (wanted) =>
      Promise.race([
        new Promise<void>((resolve) => {
          if (count >= wanted) resolve();
          else waiting.push({ count: wanted, resolve });
        }),
        ended.then((text) => {
          throw new Error(`the process ended after ${count} commits: ${text}`);
        }),
      ]),
  };
}

/** Opens the state in another process and closes it again: the code of the error, or `opened`. */
export function openElsewhere(directory: string, { uid }: { readonly uid?: number } = {}): string {
  const { stdout, stderr } = spawnSync(process.execPath, [import.meta.filename, 'open', directory], {
    encoding: 'utf8',
    env: ENV,
    ...(uid === undefined ? {} : { uid }),
  });
  return stdout.trim() || stderr;
}

export interface Refusal {
  /** Per partition: the highest SCN whose commit was acknowledged. */
  readonly acknowledged: readonly number[];
  readonly code: string;
  readonly retry: string;
  /** What the state holds after it refused. */
  readonly held: readonly number[];
}

/** Commits in another process, all partitions at a time, in which no file may grow beyond some 200 kB. */
export function commitUntilRefused(directory: string): Refusal {
  // The kernel refuses what goes beyond the limit, as it does when the disk is full; 512 bytes are the shell's unit.
  const { stdout, stderr } = spawnSync(
    'sh',
    ['-c', 'ulimit -f 400; exec "$@"', 'sh', process.execPath, import.meta.filename, 'fill', directory],
    { encoding: 'utf8' },
  );
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as Refusal;
}

async function fill(directory: string): Promise<void> {
  const state = await RelayState.open({ directory });
  const store = state.groups('shop');
  await store.create({ group: 'g', partitions: PARTITIONS, scn: 0, epochLimit: 0, createdMs: 0 });
  const acknowledged = Array<number>(PARTITIONS).fill(0);
  for (let scn = 1; ; scn++) {
    const round = acknowledged.map(async (_, partition) => {
      await store.saveCheckpoints('g', [{ partition, scn, committedMs: scn, epoch: 1 }]);
      acknowledged[partition] = scn;
    });
    const refused = (await Promise.allSettled(round)).find((outcome) => outcome.status === 'rejected');
    if (refused === undefined) continue;
    const { code, retry } = refused.reason as { readonly code: string; readonly retry: string };
    const [group] = await store.load();
    const held = group?.checkpoints.map((checkpoint) => checkpoint.scn);
    console.log(JSON.stringify({ acknowledged, code, retry, held }));
    // As a crash would end it: nothing is put in order first.
    process.kill(process.pid, 'SIGKILL');
  }
}

async function commit(directory: string, failpoints: string): Promise<void> {
  const state = await RelayState.open({ directory, failpoints });
  const store = state.groups('shop');
  const [group] = await store.load();
  if (group === undefined) {
    await store.create({ group: 'g', partitions: PARTITIONS, scn: 0, epochLimit: 0, createdMs: 0 });
  }
  await Promise.all(
    Array.from({ length: PARTITIONS }, async (_, partition) => {
      for (let scn = (group?.checkpoints[partition]?.scn ?? 0) + 1; ; scn++) {
        await store.saveCheckpoints('g', [{ partition, scn, committedMs: scn, epoch: 1 }]);
        process.stdout.write(`${partition} ${scn}\n`);
      }
    }),
  );
}

async function open(directory: string): Promise<void> {
  try {
    const state = await RelayState.open({ directory });
    await state.close();
    console.log('opened');
  } catch (error) {
    console.log((error as { readonly code?: string }).code ?? error);
  }
}

if (process.argv[1] === import.meta.filename) {
  const [, , task, directory = '', failpoints = ''] = process.argv;
  if (task === 'commit') await commit(directory, failpoints);
  else if (task === 'fill') await fill(directory);
  else await open(directory);
}
