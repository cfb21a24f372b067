import { expect, test } from 'vitest';
import { silentLogger } from '../core/logger.ts';
import { connectorSchemas, sinkTypes, sourceTypes } from '../registry.ts';
import { readConfig } from './load-config.ts';
import { openMapper } from './open-mapper.ts';

const schemas = await connectorSchemas({ sources: sourceTypes, sinks: sinkTypes });
const OWN: Readonly<Record<string, object>> = {
  mysql: { url: 'mysql://root@127.0.0.1/copies' },
  file: { path: './files' },
  exec: { command: 'cat' },
  stdout: { lines: 'rows' },
};

test.each(Object.keys(OWN))(
  'a sink of type %s is made of its own keys, and its mapping of the others',
  async (type) => {
    const tables = { 'shop.*': { to: 'copies.{table}' } };
    const sink = { type, stream: 'shop', relay: 'http://127.0.0.1:8400', ...OWN[type], tables };
    const { settings, mistakes } = readConfig({ sinks: { copy: sink } }, { env: {}, schemas, directory: '/' });
    expect(mistakes).toEqual([]);
    const { mapping, options = {} } = settings?.sinks.get('copy') ?? {};
    expect(options).toMatchObject(OWN[type] ?? {});
    // It refuses keys that it does not know.
    expect(
      await sinkTypes.get(type)?.make({ settings: options, directory: '/', print: async () => {} }),
    ).toHaveProperty('promise');
    const mapper = await openMapper(mapping ?? {}, { sink: 'copy', directory: '/', log: silentLogger, patches: false });
    expect(mapper.tables).toEqual(['shop.*']);
  },
);
