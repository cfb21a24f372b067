import { describe, expect, test } from 'vitest';
import { column, MemorySource, table } from '../../test/support/changes.ts';
import { silentLogger } from '../core/logger.ts';
import { type SourceRequest, sourceTypes, type SourceTypes } from '../registry.ts';
import type { SnapshotOptions, StreamDefinition } from '../relay/relay-api.ts';
import type { RelaySettings } from './config-settings.ts';
import { streamDefinitions } from './stream-definitions.ts';

const orders = table('shop.orders', [column('id', 'int', { nullable: false })]);
const snapshots: SnapshotOptions = { initial: true, onGap: 'snapshot', limits: { parallel: 4 } };

/** The definition of a stream whose source begins at `from`, and what its source is opened with. */
async function define(from: string | undefined): Promise<{ stream: StreamDefinition; requests: SourceRequest[] }> {
  const requests: SourceRequest[] = [];
  const mysql = sourceTypes.get('mysql');
  if (mysql === undefined) throw new Error('there is no source type for MySQL');
  const types: SourceTypes = new Map([
    [
      'mysql',
      {
        type: 'mysql',
        configSchema: () => mysql.configSchema(),
        preflight: async () => [],
        open: async (request) => {
          requests.push(request);
          return new MemorySource([]);
        },
      },
    ],
  ]);
  const settings: RelaySettings = {
    directory: '/nowhere',
    configDirectory: '/nowhere',
    sinks: new Map(),
    http: {},
    streams: new Map([
      [
        'shop',
        {
          source: { type: 'mysql', url: 'mysql://h', from, options: { url: 'mysql://h' } },
          partitions: 8,
          retention: {},
          log: {},
          snapshots,
        },
      ],
    ]),
  };
  const { shop } = await streamDefinitions(settings, { types, log: silentLogger });
  if (shop === undefined) throw new Error('there is no definition of the stream');
  return { stream: shop, requests };
}

test('what a configuration says of snapshots reaches the stream', async () => {
  expect((await define('earliest')).stream).toMatchObject({ partitions: 8, snapshots });
});

describe('a source is opened', () => {
  const known = { position: 'mysql-bin.000003:890', tables: [orders] };

  test.each([
    ['where it is configured to, when the log is new', { position: null, tables: [] }, { from: 'earliest' }],
    ['where the log ends, with the tables as they were there', known, { from: known.position, knownTables: [orders] }],
    ['at its present end, when what comes next is given up', { ...known, anew: true }, { from: 'now' }],
    ['where the log ends, when nothing is given up', { ...known, anew: false }, { from: known.position }],
  ])('%s', async (_what, resume, expected) => {
    const { stream, requests } = await define('earliest');
    await stream.openSource(resume);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject(expected);
  });

  test('without tables that do not hold any more, nor the position, when it begins anew', async () => {
    const { stream, requests } = await define('pos');
    await stream.openSource({ ...known, anew: true });
    expect(requests[0]).not.toHaveProperty('knownTables');
    expect(JSON.stringify(requests[0])).not.toContain(known.position);
  });

  test('where it likes, when nothing says where', async () => {
    const { stream, requests } = await define(undefined);
    await stream.openSource({ position: null, tables: [] });
    expect(requests[0]).not.toHaveProperty('from');
  });
});
