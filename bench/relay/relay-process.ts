/**
 * The relay of `npm run bench -- relay`, in a process of its own. Told a name on standard input, it ends what it had and opens a relay
 * with one stream of that name in a folder of its own, always at the same address, and answers `opened`; told `go`, it opens the source. So the
 * measured pass runs on warm code, and its log does not lie beside those of the passes before: on a virtual machine each page of
 * memory that the system's file cache takes for the first time costs several times what the write does.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { silentLogger } from '../../src/core/logger.ts';
import type { ChangeLog } from '../../src/relay/log/change-log.ts';
import { Relay } from '../../src/relay/relay.ts';
import type { StreamDefinition } from '../../src/relay/relay-api.ts';
import { createRelayServer, type RelayServer } from '../../src/relay/server/relay-server.ts';
import { streamOf } from '../../src/relay/server/served-relay.ts';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';
import { profiledBetween } from '../support/profiler.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '' },
    url: { type: 'string', default: '' },
    table: { type: 'string', default: '' },
    from: { type: 'string', default: 'now' },
    'server-id': { type: 'string', default: '9000' },
    fsync: { type: 'string', default: 'true' },
    /** When the log has so many changes of a pass, it says `ingested` with the seconds since the first of them. */
    rows: { type: 'string' },
    /** Where to write a CPU profile of the stream that is told as `<name> profile`. */
    profile: { type: 'string' },
  },
});

interface Pass {
  readonly relay: Relay;
  readonly server: RelayServer;
  readonly directory: string;
  readonly go: () => void;
}

let passes = 0;
let port = 0;

async function begin(name: string): Promise<Pass> {
  const directory = join(values.data, `relay-${passes++}`);
  const serverId = Number(values['server-id']) + passes;
  const started = Promise.withResolvers<void>();
  const definition: StreamDefinition = {
    log: { fsync: values.fsync === 'true' },
    openSource: async ({ position }) => {
      await started.promise;
      return new MysqlSource({
        url: values.url,
        from: position ?? values.from,
        tables: [values.table],
        json: 'text',
        serverId,
      });
    },
  };
  const relay = await Relay.open({ directory, streams: { [name]: definition }, log: silentLogger });
  if (values.rows !== undefined) sayWhenIngested(streamOf(relay, name).log, Number(values.rows));
  const server = await createRelayServer({ relay, http: { port }, log: silentLogger, version: 'bench' });
  const { url } = await server.listen();
  port = Number(new URL(url).port);
  process.stdout.write(`${JSON.stringify({ event: 'opened', url })}\n`);
  return { relay, server, directory, go: started.resolve };
}

function sayWhenIngested(log: ChangeLog, rows: number): void {
  const before = log.visible.last;
  let firstMs = 0;
  const forget = log.onChange(() => {
    const count = log.visible.last - before;
    if (count > 0 && firstMs === 0) firstMs = performance.now();
    if (count < rows) return;
    forget();
    const seconds = (performance.now() - firstMs) / 1000;
    process.stdout.write(`${JSON.stringify({ event: 'ingested', seconds })}\n`);
  });
}

async function end({ relay, server, directory, go }: Pass): Promise<void> {
  // A relay that is closed waits for a source that is being opened.
  go();
  await server.close({ graceMs: 0 });
  await relay.close();
  await rm(directory, { recursive: true, force: true });
}

const profile = values.profile === undefined ? null : profiledBetween(values.profile);
let isProfiled = false;
let pass: Pass | null = null;
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'go') {
    pass?.go();
    continue;
  }
  if (pass !== null) await end(pass);
  const [name = '', option] = line.split(' ');
  isProfiled = option === 'profile' && profile !== null;
  if (isProfiled) await profile?.start();
  pass = await begin(name);
}
if (isProfiled) await profile?.stop();
if (pass !== null) await end(pass);
