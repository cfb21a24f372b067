import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CliProcess, runCommand } from '../support/cli-process.ts';
import { describeServers } from '../support/servers/describe-server.ts';

/** The address that a relay has told. */
async function ready(relay: CliProcess): Promise<string> {
  await relay.until(({ stderr }) => /"message":"ready"/.test(stderr));
  const line = relay.stderr.split('\n').find((text) => text.includes('"message":"ready"')) ?? '{}';
  return (JSON.parse(line) as { url: string }).url;
}

interface Line {
  readonly op: string;
  readonly scn: number;
  readonly key: { readonly id: number };
  readonly ts: string;
}

/** One that has ended, and that nobody has asked about (Z), runs no more. */
async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !stat.includes(') Z ');
}

function idsOf(text: string): number[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{"op":"insert"'))
    .map((line) => (JSON.parse(line) as Line).key.id);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Keeps each batch that it gets in a file, and acknowledges it. */
const KEEP = `while IFS= read -r line; do
  case $line in
    '{"op":"progress"'*) scn=\${line##*:}; echo "ack \${scn%\\}}" ;;
    *) printf '%s\\n' "$line" >> "$OUT" ;;
  esac
done`;

describeServers(['mariadb'], 'a relay from the command line', (server) => {
  let folder = '';
  let config = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidings-relay-'));
    config = join(folder, 'tidings.yaml');
    await writeFile(
      config,
      `data: data
http: { port: 0 }
streams:
  shop:
    source: { type: mysql, url: "\${DB_URL}", tables: ['shop.*'], from: earliest }
    partitions: 8
`,
    );
    await server().query('CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, status VARCHAR(20))');
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const run = (): CliProcess => new CliProcess(['run', config], { env: { DB_URL: server().url } });
  const fresh = async (count: number): Promise<void> => {
    await server().query('TRUNCATE TABLE shop.orders');
    await add(1, count);
  };
  const add = async (first: number, last: number): Promise<void> => {
    for (let id = first; id <= last; id++) await server().query(`INSERT INTO shop.orders VALUES (${id}, 'new')`);
  };

  test('validate and run --check say that all is well', async () => {
    const env = { DB_URL: server().url };
    const validated = await runCommand(['validate', config], { env });
    expect({ code: validated.code, out: validated.stdout }).toMatchObject({ code: 0 });
    const checked = await runCommand(['run', '--check', config], { env });
    expect({ code: checked.code, first: checked.lines[0] }).toEqual({ code: 0, first: 'stream shop' });
    const without = await runCommand(['run', config]);
    expect(without.code).toBe(2);
    expect(without.stderr).toContain('streams.shop.source.url: the environment variable DB_URL is not set');
  });

  test('a relay goes on when nobody reads its log any more', async () => {
    await using relay = new CliProcess(['run', config, '--log-level', 'debug'], { env: { DB_URL: server().url } });
    const url = await ready(relay);
    relay.closeStderr();
    for (const to of ['earliest', 'latest']) {
      const set = ['checkpoint', 'set', url, '--stream', 'shop', '--group', 'unread', '--to', to];
      expect(await runCommand(set)).toMatchObject({ code: 0 });
    }
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    relay.signal('SIGTERM');
    expect(await relay.exit()).toEqual({ code: 0, signal: null });
  });

  test('consume prints what is there, and streams and groups say where it stands', async () => {
    await fresh(5);
    await using relay = run();
    const url = await ready(relay);
    const args = ['consume', url, '--stream', 'shop', '--from', 'earliest', '--group', 'print'];
    await using consumer = new CliProcess(args);
    await consumer.until(({ stdout }) => idsOf(stdout).includes(5));
    consumer.signal('SIGTERM');
    expect(await consumer.exit()).toEqual({ code: 0, signal: null });
    const [line] = consumer.json.filter(({ op }) => op === 'insert');
    expect(line).toMatchObject({ scn: expect.any(Number) as number, partition: expect.any(Number) as number });

    const streams = await runCommand(['streams', url]);
    expect(streams.lines[1]).toMatch(/^shop +running +\d{16} +\d{16} /);
    const groups = await runCommand(['groups', url, '--stream', 'shop']);
    expect(groups.lines[1]).toMatch(/^print +idle +0 +\d{16} +0 +0 B +0 s$/);

    relay.signal('SIGTERM');
    expect(await relay.exit()).toEqual({ code: 0, signal: null });
    expect(relay.stderr).not.toContain('"level":"error"');
  });

  test('a reader with a checkpoint file goes on where it stopped, over a restart of the relay', async () => {
    await fresh(3);
    const file = join(folder, 'reader.checkpoint');
    const read = (url: string): Promise<CliProcess> =>
      runCommand(['consume', url, '--stream', 'shop', '--from', 'earliest', '--until-end', '--checkpoint-file', file]);
    {
      await using relay = run();
      const url = await ready(relay);
      await using watcher = new CliProcess(['consume', url, '--stream', 'shop', '--from', 'earliest']);
      await watcher.until(({ stdout }) => idsOf(stdout).at(-1) === 3 && stdout.includes('TRUNCATE'));
      expect(idsOf((await read(url)).stdout).slice(-3)).toEqual([1, 2, 3]);
      expect(idsOf((await read(url)).stdout)).toEqual([]);
      relay.signal('SIGKILL');
      await relay.exit();
    }
    await add(4, 6);
    await using relay = run();
    const url = await ready(relay);
    await using watcher = new CliProcess(['consume', url, '--stream', 'shop', '--from', 'earliest']);
    await watcher.until(({ stdout }) => idsOf(stdout).at(-1) === 6);
    expect(idsOf((await read(url)).stdout)).toEqual([4, 5, 6]);
  });

  describe('consume --exec', () => {
    test('feeds a command, survives both being killed, and loses nothing', async () => {
      await fresh(20);
      const out = join(folder, 'exec.ndjson');
      const exec = (url: string): CliProcess =>
        new CliProcess(['consume', url, '--stream', 'shop', '--group', 'exec', '--from', 'earliest', '--exec', KEEP], {
          env: { OUT: out },
        });
      const written = async (): Promise<number[]> => idsOf(await readFile(out, 'utf8').catch(() => ''));
      await using relay = run();
      const url = await ready(relay);
      {
        await using consumer = exec(url);
        await expect.poll(written, { timeout: 20_000 }).toContain(20);
        consumer.signal('SIGKILL');
      }
      await add(21, 30);
      {
        await using consumer = exec(url);
        await expect.poll(written, { timeout: 20_000 }).toContain(30);
        consumer.signal('SIGTERM');
        expect(await consumer.exit()).toEqual({ code: 0, signal: null });
      }
      await add(31, 40);
      await using consumer = exec(url);
      await expect.poll(written, { timeout: 20_000 }).toContain(40);
      const ids = await written();
      expect([...new Set(ids)].toSorted((a, b) => a - b)).toEqual(upTo(40));
      // Stopped in order, the command had acknowledged everything: nothing of it came again.
      expect(ids.filter((id) => id > 20 && id <= 40)).toHaveLength(20);
      void consumer;
    });

    test('leaves nothing of a command behind that does not end: told a second time to end, or as a sink of a relay that has no more time', async () => {
      await fresh(2);
      await using relay = run();
      const url = await ready(relay);
      const pids = join(folder, 'pids');
      const stubborn = `trap '' TERM; sleep 1000 & echo $$ $! > ${pids}.new; mv ${pids}.new ${pids}; wait`;
      const started = async (): Promise<number[]> =>
        (await readFile(pids, 'utf8').catch(() => '')).split(' ').filter(Boolean).map(Number);
      const sinks = join(folder, 'stubborn.yaml');
      const sink = { type: 'exec', stream: 'shop', relay: url, command: stubborn, graceMs: 60_000 };
      await writeFile(
        sinks,
        JSON.stringify({ data: join(folder, 'stubborn'), http: { port: 0 }, sinks: { stubborn: sink } }),
      );
      for (const [args, signals] of [
        [['consume', url, '--stream', 'shop', '--from', 'earliest', '--exec', stubborn], 2],
        [['run', sinks], 1],
      ] as const) {
        await rm(pids, { force: true });
        await using feeder = new CliProcess(args);
        await expect.poll(started, { timeout: 20_000 }).toHaveLength(2);
        for (let n = 0; n < signals; n++) {
          feeder.signal('SIGTERM');
          await sleep(300);
        }
        await feeder.exit();
        for (const pid of await started()) await expect.poll(() => runs(pid), { timeout: 5000 }).toBe(false);
      }
    });

    test('a command that fails gets its batch again; with --until-end its exit code counts', async () => {
      await fresh(4);
      await using relay = run();
      const url = await ready(relay);
      await using watcher = new CliProcess(['consume', url, '--stream', 'shop', '--from', 'earliest']);
      await watcher.until(({ stdout }) => idsOf(stdout).at(-1) === 4 && stdout.includes('TRUNCATE'));
      const flag = join(folder, 'failed-once');
      const script = `if [ ! -e ${flag} ]; then touch ${flag}; read -r line; exit 9; fi; ${KEEP}`;
      const args = ['consume', url, '--stream', 'shop', '--from', 'earliest', '--until-end', '--exec'];
      const out = join(folder, 'again.ndjson');
      const cli = await runCommand([...args, script], { env: { OUT: out } });
      expect(cli.code).toBe(0);
      await access(flag);
      expect(idsOf(await readFile(out, 'utf8')).slice(-4)).toEqual([1, 2, 3, 4]);
      expect(cli.stderr).toContain('the command ended before it had acknowledged its batch');
      expect((await runCommand([...args, `${KEEP} ; exit 5`], { env: { OUT: '/dev/null' } })).code).toBe(1);
      expect((await runCommand([...args, 'no-such-command-anywhere'])).stderr).toContain('COMMAND_FAILED');
    });
  });

  test('checkpoint, replay, pause and resume do what they say', async () => {
    await fresh(3);
    await using relay = run();
    const url = await ready(relay);
    const where = ['--stream', 'shop'];
    await using watcher = new CliProcess(['consume', url, ...where, '--from', 'earliest']);
    await watcher.until(({ stdout }) => idsOf(stdout).at(-1) === 3 && stdout.includes('TRUNCATE'));
    const inserts = watcher.json.filter(({ op }) => op === 'insert').slice(-3) as unknown as Line[];
    const [first, second] = inserts;

    const behind = await runCommand(['replay', url, ...where, '--from', String(first?.scn)]);
    expect(idsOf(behind.stdout)).toEqual([2, 3]);
    const between = await runCommand([
      'replay',
      url,
      ...where,
      '--from',
      String(first?.scn),
      '--to',
      String(second?.scn),
    ]);
    expect(idsOf(between.stdout)).toEqual([2]);
    const keys = await runCommand(['replay', url, ...where, '--from', String(second?.scn), '--format', 'keys']);
    expect(keys.stdout).toBe('orders_write 3\n');

    const group = [...where, '--group', 'moved'];
    const set = await runCommand(['checkpoint', 'set', url, ...group, '--to', String(first?.scn)]);
    expect({ code: set.code, err: set.stderr }).toEqual({ code: 0, err: '' });
    expect((await runCommand(['checkpoint', 'get', url, ...group])).stdout).toMatch(
      new RegExp(`^ *CHECKPOINT +PARTITIONS\n *${first?.scn} +0-7\n$`),
    );
    const member = await runCommand(['consume', url, ...group, '--until-end']);
    expect(idsOf(member.stdout)).toEqual([2, 3]);
    expect((await runCommand(['replay', url, ...group, '--from', String(second?.scn), '--yes'])).code).toBe(0);
    expect(idsOf((await runCommand(['consume', url, ...group, '--until-end'])).stdout)).toEqual([3]);

    expect((await runCommand(['pause', url, ...where])).code).toBe(0);
    expect((await runCommand(['streams', url])).lines[1]).toMatch(/^shop +paused/);
    await add(4, 4);
    expect(idsOf((await runCommand(['replay', url, ...where, '--from', String(second?.scn)])).stdout)).toEqual([3]);
    expect((await runCommand(['resume', url, ...where])).code).toBe(0);
    await watcher.until(({ stdout }) => idsOf(stdout).at(-1) === 4);
  });

  test('what goes wrong is said with its remedy', async () => {
    await using relay = run();
    const url = await ready(relay);
    const unknown = await runCommand(['consume', url, '--stream', 'shoop']);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('The streams are: shop.');
    const second = await runCommand(['run', config], { env: { DB_URL: server().url } });
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('DIRECTORY_IN_USE');
    relay.signal('SIGTERM');
    await relay.exit();
    const gone = await runCommand(['consume', url, '--stream', 'shop', '--until-end']);
    expect(gone.code).toBe(1);
    expect(gone.stderr).toContain('tidings run starts one');
  });
});
