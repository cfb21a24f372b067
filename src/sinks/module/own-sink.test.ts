import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { column, table } from '../../../test/support/changes.ts';
import { changeOf } from '../../../test/support/mapped.ts';
import type { SinkRow } from '../../core/sink.ts';
import { loadSinkModule } from './load-sink-module.ts';

const root = resolve(import.meta.dirname, '../../..');

test('the sink of docs/concepts/sinks.md is loaded, writes its rows, and refuses and retries as it says', async () => {
  const page = await readFile(join(root, 'docs/concepts/sinks.md'), 'utf8');
  const [, example = ''] = /```ts\n(\/\/ my-sink\.ts[^]*?)```/.exec(page) ?? [];
  const folder = await mkdtemp(join(tmpdir(), 'tidings-own-sink-'));
  let status = 200;
  const bodies: string[] = [];
  const service = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      if (request.method === 'POST') bodies.push(text);
      response.writeHead(status).end();
    });
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  try {
    const index = pathToFileURL(join(root, 'src/index.ts')).href;
    await writeFile(join(folder, 'my-sink.ts'), example.replace("'tidings'", `'${index}'`));
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`;
    const sink = await loadSinkModule({ module: './my-sink.ts', settings: { url } }, folder);
    const things = table('shop.things', [column('id', 'bigint')]);
    const change = changeOf(things, { after: { id: 2n ** 60n } });
    const target = { table: things, options: {} };
    const row: SinkRow = { target, kind: 'insert', key: change.key, before: null, after: change.after, scn: 7, change };
    const batch = { lane: 0, rows: [row], checkpoints: [], endsTransaction: true } as const;
    await sink.write(batch);
    const digits = String(2n ** 60n);
    expect(bodies.map((body) => JSON.parse(body) as unknown)).toEqual([
      [{ table: 'things', kind: 'insert', key: { id: digits }, after: { id: digits }, scn: 7 }],
    ]);
    status = 422;
    await expect(sink.write(batch)).rejects.toMatchObject({ name: 'RowsRefused', rows: [{ index: 0 }] });
    status = 503;
    await expect(sink.write(batch)).rejects.toMatchObject({ code: 'CONNECTION_FAILED', retry: 'backoff' });
  } finally {
    service.closeAllConnections();
    service.close();
    await rm(folder, { recursive: true });
  }
});

test('a module of CommonJS is taken by its default, and one that throws says what it threw', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-own-sink-'));
  try {
    const methods = 'open() {}, prepare() {}, write() {}, truncate() {}, close() {}';
    await writeFile(
      join(folder, 'made.cjs'),
      `exports.__esModule = true; exports.default = () => ({ promise: 'at-least-once', ${methods} });`,
    );
    expect(await loadSinkModule({ module: './made.cjs' }, folder)).toMatchObject({ promise: 'at-least-once' });
    await writeFile(join(folder, 'throws.mjs'), "export default () => { throw new Error('no url was given'); };");
    await expect(loadSinkModule({ module: './throws.mjs' }, folder)).rejects.toMatchObject({
      code: 'SINK_MODULE_FAILED',
      message: 'the module ./throws.mjs of a sink makes none of its settings: no url was given',
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
