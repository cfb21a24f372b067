import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type FileEvent, binlogFileEvents } from './binlog-file.ts';

const BINLOGS = join(import.meta.dirname, '..', 'fixtures', 'binlog');

/** Recorded files as `folder/file`: test/fixtures/binlog/<folder>/README.md says what is in them. */
export function binlogFixtures(): readonly string[] {
  return readdirSync(BINLOGS, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.binlog'))
    .toSorted();
}

export function fixtureEvents(name: string): FileEvent[] {
  return binlogFileEvents(readFileSync(join(BINLOGS, name)));
}
