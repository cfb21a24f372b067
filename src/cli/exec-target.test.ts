import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryOutput } from '../../test/support/cli-context.ts';
import type { ConsumerBatch } from '../core/consumer.ts';
import { silentLogger } from '../core/logger.ts';
import type { TransactionPart } from '../core/source.ts';
import { ExecTarget } from './exec-target.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-exec-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A batch of one transaction with these changes; it covers a little more than the last of them, as filtered ones do. */
function batch(...scns: number[]): ConsumerBatch {
  const entries = scns.map((scn) => ({ type: 'schema', database: 'd', table: 't', sql: `s${scn}`, scn }) as const);
  const position = { compare: () => 0 };
  const part: TransactionPart = {
    transaction: { id: null, committedAtUs: 0, serverId: 1, start: position },
    begins: true,
    restarted: false,
    entries,
    end: position,
  };
  const scn = (scns.at(-1) ?? 0) + 5;
  return {
    parts: [part],
    changes: [],
    entries: [],
    transactions: [],
    partitions: null,
    scn,
    count: scns.length,
    commit: async () => ({ fenced: [] }),
  };
}

interface Run {
  readonly target: ExecTarget;
  readonly stdout: MemoryOutput;
  readonly stop: AbortController;
}

/** A target whose command is this script, run in the test's folder. */
function run(script: string, { graceMs = 10_000 }: { graceMs?: number } = {}): Run {
  const stdout = new MemoryOutput();
  const stop = new AbortController();
  const target = new ExecTarget({
    command: `cd ${folder}\n${script}`,
    encoder: {
      encode: ({ entries }, emit) => entries.forEach((entry) => emit(entry.type === 'rows' ? 'rows' : entry.sql)),
    },
    stdout,
    log: silentLogger,
    stop: stop.signal,
    graceMs,
    nowMs: () => 0,
  });
  return { target, stdout, stop };
}

const lines = async (name: string): Promise<string[]> =>
  (await readFile(join(folder, name), 'utf8')).split('\n').slice(0, -1);

/** Keeps all lines, and acknowledges a batch by the line that ends it. */
const GOOD = `while read -r line; do
  echo "$line" >> seen
  case $line in '{"op":"progress"'*) scn=\${line##*:}; echo "ack \${scn%\\}}" ;; esac
done`;

test('a command gets each batch and the line that ends it, and the next one after its acknowledgement', async () => {
  const { target, stdout } = run(GOOD);
  expect(await target.deliver(batch(10, 11))).toBe(true);
  expect(await lines('seen')).toEqual(['s10', 's11', '{"op":"progress","ts":"1970-01-01T00:00:00.000000Z","scn":16}']);
  expect(await target.deliver(batch(20))).toBe(true);
  expect(await target.end()).toBe(0);
  expect((await lines('seen')).slice(3)).toEqual(['s20', expect.stringContaining('"scn":25}') as string]);
  expect(stdout.text).toBe('');
});

test('a batch without changes asks nothing of the command, and starts none', async () => {
  const { target } = run('touch started; exit 1');
  expect(await target.deliver(batch())).toBe(true);
  expect(await target.end()).toBe(0);
  await expect(lines('started')).rejects.toThrow('ENOENT');
});

test('a command that ends before it has acknowledged gets the whole batch again', async () => {
  const { target } = run(
    `if [ ! -e second ]; then touch second; read -r line; echo "$line" > first; exit 3; fi\n${GOOD}`,
  );
  expect(await target.deliver(batch(10, 11))).toBe(true);
  expect(await lines('first')).toEqual(['s10']);
  expect((await lines('seen')).slice(0, 2)).toEqual(['s10', 's11']);
  expect(await target.end()).toBe(0);
});

test('a command that has ended between two batches is started again for the next', async () => {
  const { target } = run('read -r a; read -r b; echo "$a" >> seen; echo "ack ${a#s}"');
  for (const scn of [10, 20, 30]) expect(await target.deliver(batch(scn))).toBe(true);
  expect(await lines('seen')).toEqual(['s10', 's20', 's30']);
});

test("the last change's SCN acknowledges the batch; an earlier one, and other lines, do not", async () => {
  const { target, stdout } = run(`read -r a; read -r b; read -r c; echo ack 10; echo hello
while [ ! -e go ]; do sleep 0.01; done; echo ack 11`);
  let settled = false;
  const delivered = target.deliver(batch(10, 11)).finally(() => (settled = true));
  await stdout.until((text) => text === 'hello\n');
  expect(settled).toBe(false);
  await writeFile(join(folder, 'go'), '');
  expect(await delivered).toBe(true);
});

describe('what a command cannot be', () => {
  test('unknown to the shell', async () => {
    const { target } = run('no-such-command-anywhere 2>/dev/null');
    await expect(target.deliver(batch(1))).rejects.toMatchObject({ code: 'COMMAND_FAILED' });
  });

  test('ahead of what it was sent', async () => {
    const { target } = run('read -r a; echo ack 99; cat > /dev/null');
    await expect(target.deliver(batch(1))).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: 'the command acknowledges 99, which it was never sent',
    });
    await target.end();
  });
});

describe('at the end', () => {
  test('the exit code of the command decides', async () => {
    const { target } = run(`${GOOD}\nexit 7`);
    await target.deliver(batch(1));
    expect(await target.end()).toBe(1);
  });

  test('the command may take its time', async () => {
    const { target } = run(`${GOOD}\nsleep 0.2; echo late >> seen`, { graceMs: 10 });
    await target.deliver(batch(1));
    expect(await target.end()).toBe(0);
    expect((await lines('seen')).at(-1)).toBe('late');
  });
});

describe('told to stop', () => {
  test('stdin is closed, and what is acknowledged then still counts', async () => {
    const { target, stop, stdout } = run('read -r a; echo ready; cat > /dev/null; echo "ack ${a#s}"');
    const delivered = target.deliver(batch(10));
    await stdout.until((text) => text === 'ready\n');
    stop.abort();
    expect(await delivered).toBe(true);
    expect(await target.end()).toBe(0);
  });

  test('a command that ends without acknowledging is not started again', async () => {
    const { target, stop, stdout } = run('echo x >> starts; read -r a; echo ready; cat > /dev/null');
    const delivered = target.deliver(batch(10));
    await stdout.until((text) => text === 'ready\n');
    stop.abort();
    expect(await delivered).toBe(false);
    expect(await target.end()).toBe(0);
    expect(await lines('starts')).toEqual(['x']);
  });

  test('a command that does not read what it is given is ended in time', async () => {
    const { target, stop, stdout } = run('echo ready; sleep 100', { graceMs: 50 });
    const large = batch(...Array.from({ length: 100_000 }, (_, index) => index));
    const delivered = target.deliver(large);
    await stdout.until((text) => text === 'ready\n');
    stop.abort();
    expect(await delivered).toBe(false);
    expect(await target.end()).toBe(0);
  });

  test('a command that has let its time pass is not given the same time once more', async () => {
    const { target, stop, stdout } = run('echo ready; trap "exit 0" TERM; sleep 100 & wait', { graceMs: 2000 });
    const delivered = target.deliver(batch(10));
    await stdout.until((text) => text === 'ready\n');
    const toldMs = performance.now();
    stop.abort();
    expect(await delivered).toBe(false);
    await target.end();
    expect(performance.now() - toldMs).toBeLessThan(3900);
  });

  test('a command that goes on is ended with all that it has started, in the end by force', async () => {
    const { target, stop, stdout } = run(
      `trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo "$!"; read -r a; wait`,
      {
        graceMs: 50,
      },
    );
    const delivered = target.deliver(batch(10));
    await stdout.until((text) => text.endsWith('\n'));
    stop.abort();
    expect(await delivered).toBe(false);
    expect(await target.end()).toBe(0);
    const inner = Number(stdout.text);
    await expect.poll(() => isAlive(inner)).toBe(false);
  });
});

async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return !/\) Z/.test(stat); // Ended, and nobody has asked how yet.
  } catch {
    return false;
  }
}
