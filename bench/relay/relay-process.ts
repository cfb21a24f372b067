/**
 * The relay of `npm run bench -- relay`, in a process of its own: one stream per pass, each with the same source and a log of its
 * own, so that the measured pass runs on warm code. A stream's source is opened when its name comes in on standard input.
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { silentLogger } from '../../src/core/logger.ts';
import { Relay } from '../../src/relay/relay.ts';
import type { StreamDefinition } from '../../src/relay/relay-api.ts';
import { createRelayServer } from '../../src/relay/server/relay-server.ts';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';
import { profiledBetween } from '../support/profiler.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '' },
    url: { type: 'string', default: '' },
    table: { type: 'string', default: '' },
    from: { type: 'string', default: 'now' },
    streams: { type: 'string', default: 'pass' },
    'server-id': { type: 'string', default: '9000' },
    fsync: { type: 'string', default: 'true' },
    /** Where to write a CPU profile from the last stream's start to the end. */
    profile: { type: 'string' },
  },
});

const names = values.streams.split(',');
const started = new Map(names.map((name) => [name, Promise.withResolvers<void>()]));

function definition(name: string, index: number): StreamDefinition {
  return {
    log: { fsync: values.fsync === 'true' },
    openSource: async ({ position }) => {
      await started.get(name)?.promise;
      return new MysqlSource({
        url: values.url,
        from: position ?? values.from,
        tables: [values.table],
        json: 'text',
        serverId: Number(values['server-id']) + index,
      });
    },
  };
}

const relay = await Relay.open({
  directory: values.data,
  streams: Object.fromEntries(names.map((name, index) => [name, definition(name, index)])),
  log: silentLogger,
});
const server = await createRelayServer({ relay, http: { port: 0 }, log: silentLogger, version: 'bench' });
const { url } = await server.listen();
process.stdout.write(`${JSON.stringify({ event: 'ready', url })}\n`);

const profile = values.profile === undefined ? null : profiledBetween(values.profile);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === names.at(-1)) await profile?.start();
  started.get(line)?.resolve();
}
await profile?.stop();
await server.close({ graceMs: 0 });
await relay.close();
