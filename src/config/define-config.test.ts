import { expect, expectTypeOf, test } from 'vitest';
import { connectorSchemas, sinkTypes, sourceTypes } from '../registry.ts';
import type {
  FileSinkConfig,
  MappingColumnConfig,
  MappingRuleConfig,
  MysqlSinkConfig,
} from './config-types.generated.ts';
import { defineConfig } from './define-config.ts';
import { parseConfig } from './parse-config.ts';
import { RULES } from './rules.ts';

const schemas = await connectorSchemas({ sources: sourceTypes, sinks: sinkTypes });

test('what the types let through is taken: sinks of every type, with all forms that a mapping has', () => {
  const config = defineConfig({
    streams: { shop: { source: { type: 'mysql', url: 'mysql://h' } } },
    sinks: {
      copy: {
        type: 'mysql',
        stream: 'shop',
        url: 'mysql://h/copy',
        batch: { delay: '50ms', bytes: '1MiB' },
        rename: { columns: ['camel', { '/^x_/': '' }] },
        databases: { crm: { delete: 'ignore' } },
        tables: {
          'shop.sessions': 'skip',
          'shop.users': [
            {
              to: 'people',
              where: "status = 'active'",
              columns: {
                id: 'id',
                name: { expr: "concat(first, ' ', last)", cast: 'varchar(200)' },
                mail: { from: 'email', mask: { start: 2 } },
                digest: { from: 'email', hash: { key: 'k' } },
                kind: { value: 1 },
              },
              include: [],
              key: ['id'],
              delete: { soft: { gone: true, at: { expr: 'committed_at()' } } },
              options: { anything: [1, 2] },
            },
          ],
          'shop.*': null,
        },
      },
      files: { type: 'file', stream: 'shop', path: 'out', format: 'avro', rotate: { afterMs: '1m' } },
      lines: { type: 'exec', stream: 'far', relay: 'https://relay.internal:8400', command: 'cat', hookTimeout: '5s' },
      own: { type: 'module', stream: 'shop', module: './my-sink.ts', settings: { host: 'h', ports: [1, 2] } },
      short: { type: './my-sink.ts', stream: 'shop', settings: { host: 'h' } },
    },
  });
  const { mistakes } = parseConfig(config, {
    env: {},
    directory: '/etc/tidings',
    readFile: () => '',
    schemas,
    locate: () => null,
    misleading: [],
    rules: RULES,
  });
  expect(mistakes).toEqual([]);
});

test('what the parser would refuse does not compile', () => {
  const stream = 'shop';
  // @ts-expect-error -- a sink into MySQL needs its URL
  defineConfig({ sinks: { copy: { type: 'mysql', stream } } });
  // @ts-expect-error -- there is no such type
  defineConfig({ sinks: { copy: { type: 'mysqll', stream, url: 'mysql://h/d' } } });
  // @ts-expect-error -- a duration has its unit
  defineConfig({ sinks: { copy: { type: 'exec', stream, command: 'cat', batch: { delay: 50 } } } });
  // @ts-expect-error -- a table is skipped with the word skip
  defineConfig({ sinks: { copy: { type: 'exec', stream, command: 'cat', tables: { 'a.b': 'ignore' } } } });
  expectTypeOf<MysqlSinkConfig['order']>().toEqualTypeOf<'key' | 'transaction' | undefined>();
  expectTypeOf<NonNullable<FileSinkConfig['tables']>[string]>().toEqualTypeOf<
    'skip' | null | MappingRuleConfig | readonly MappingRuleConfig[]
  >();
  expectTypeOf<NonNullable<MappingRuleConfig['columns']>[string]>().toEqualTypeOf<string | MappingColumnConfig>();
});
