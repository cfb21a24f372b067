import { expect, test } from 'vitest';
import { decodeRecords, encodeRecord, Manifest, type ManifestFile, type ManifestRecord } from './manifest.ts';

function file(id: string, complete: boolean, rows = 3): ManifestFile {
  return {
    id,
    writer: 'a',
    path: `shop/${id}.avro`,
    table: 'shop.orders',
    bytes: 100,
    rows,
    firstScn: 1,
    lastScn: 9,
    complete,
  };
}

const records: readonly ManifestRecord[] = [
  { kind: 'head', version: 1, sink: 'files', stream: 'shop' },
  { kind: 'writer', id: 'a', pid: 7, host: 'größe' },
  { kind: 'writer', id: 'b', pid: 8, host: 'h' },
  { kind: 'claim', writer: 'a', partitions: [0, 1] },
  { kind: 'claim', writer: 'b', partitions: [1] },
  { kind: 'commit', files: [file('a-1', false)], checkpoints: [{ partition: 0, serial: false, scn: 5 }] },
  {
    kind: 'commit',
    files: [file('a-1', true), file('a-2', false)],
    checkpoints: [{ partition: 0, serial: true, scn: 4 }],
  },
  { kind: 'gone', writer: 'a' },
];

function manifestOf(all: readonly ManifestRecord[]): Manifest {
  const manifest = new Manifest();
  for (const record of all) manifest.apply(record);
  return manifest;
}

const seen = (manifest: Manifest): unknown => ({
  stream: manifest.stream,
  writers: manifest.writers,
  owners: [0, 1, 2].map((partition) => manifest.ownerOf(partition)),
  checkpoints: manifest.checkpoints,
  files: manifest.files,
});

test('a log amounts to what its records say', () => {
  expect(seen(manifestOf(records))).toEqual({
    stream: 'shop',
    writers: [{ id: 'b', pid: 8, host: 'h' }],
    owners: ['a', 'b', null],
    checkpoints: [
      { partition: 0, serial: false, scn: 5 },
      { partition: 0, serial: true, scn: 4 },
      { partition: 1, serial: false, scn: 0 },
      { partition: 1, serial: true, scn: 0 },
    ],
    files: [file('a-1', true), file('a-2', false)],
  });
});

test('the shorter log amounts to the same', () => {
  const manifest = manifestOf(records);
  expect(seen(manifestOf(manifest.records()))).toEqual(seen(manifest));
});

test('of very many complete files the oldest are forgotten, of open ones none', () => {
  const manifest = manifestOf([
    { kind: 'commit', files: [file('open', false)], checkpoints: [] },
    ...Array.from({ length: 10_050 }, (_, i): ManifestRecord => ({
      kind: 'commit',
      files: [file(`f${i}`, true)],
      checkpoints: [],
    })),
  ]);
  const shorter = manifestOf(manifest.records());
  expect(shorter.files.length).toBe(10_001);
  expect(shorter.file('open')).not.toBeNull();
  expect(shorter.file('f49')).toBeNull();
  expect(shorter.file('f50')).not.toBeNull();
});

const log = Buffer.concat(records.map(encodeRecord));

test('wherever a log is cut, its whole records are read and the rest is no damage', () => {
  const ends = records.map((_, i) => Buffer.concat(records.slice(0, i + 1).map(encodeRecord)).length);
  for (let length = 0; length <= log.length; length++) {
    const decoded = decodeRecords(log.subarray(0, length));
    const whole = ends.filter((end) => end <= length).length;
    expect(decoded.records).toEqual(records.slice(0, whole));
    expect(decoded.bytes).toBe(ends[whole - 1] ?? 0);
    expect(decoded.isDamaged).toBe(false);
  }
});

test('a changed byte in front of a whole record is damage; in the last record it is what a crash may leave', () => {
  const last = log.length - encodeRecord(records.at(-1) as ManifestRecord).length;
  for (let at = 0; at < log.length; at++) {
    const changed = Buffer.from(log);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    const decoded = decodeRecords(changed);
    expect(decoded.bytes).toBeLessThanOrEqual(at);
    expect({ at, isDamaged: decoded.isDamaged }).toEqual({ at, isDamaged: at < last - 1 });
  }
});
