import { TidingsError } from '../../../core/errors.ts';
import { type Gno, MYSQL_GNO_END, parseGno } from './gno.ts';
import { type GnoIntervals, forEachInterval, normaliseIntervals } from './gno-intervals.ts';
import { type MysqlGtidSource, gtidSource, parseTag, parseUuid, sourceTag, sourceUuid } from './mysql-gtid-source.ts';

/**
 * The text of a GTID set, as `gtid_executed` shows it and `WAIT_FOR_EXECUTED_GTID_SET` takes it
 * (MySQL source, libs/mysql/gtids, readme.md, "Text Format"):
 *
 *     set       uuid set, separated by commas; superfluous commas and white space are taken
 *     uuid set  uuid, then any number of ":" tag and ":" interval; intervals belong to the tag before them, or to none
 *     interval  first, or first "-" last, both inclusive
 *
 * @throws TidingsError GTID_INVALID
 */
export function parseGtidSetText(text: string): Map<MysqlGtidSource, GnoIntervals> {
  const found = new Map<MysqlGtidSource, [Gno, Gno][]>();
  for (const part of text.replaceAll(/\s+/g, '').split(',')) {
    if (part === '') continue;
    const [first = '', ...rest] = part.split(':');
    const uuid = parseUuid(first) ?? invalid('a UUID', first);
    let tag = '';
    for (const item of rest) {
      const newTag = parseTag(item);
      if (newTag !== null) {
        tag = newTag;
        continue;
      }
      const source = gtidSource(uuid, tag);
      const pairs = found.get(source) ?? [];
      pairs.push(parseInterval(item));
      found.set(source, pairs);
    }
  }
  const sources = new Map<MysqlGtidSource, GnoIntervals>();
  for (const [source, pairs] of found) sources.set(source, normaliseIntervals(pairs));
  return sources;
}

function parseInterval(text: string): [Gno, Gno] {
  const [firstText = '', lastText = firstText, ...rest] = text.split('-');
  const first = parseGno(firstText);
  const last = parseGno(lastText);
  if (rest.length > 0 || first === null || last === null || first < 1 || last >= MYSQL_GNO_END || first > last) {
    return invalid('a tag, a number from 1 to 2^63-2 or an ascending interval of them', text);
  }
  return [first, last];
}

/** A GTID holds neither row values nor credentials, so the text may be quoted; cut, since anything may have been passed. */
function invalid(expected: string, found: string): never {
  const shown = found.length > 64 ? `${found.slice(0, 64)}…` : found;
  throw new TidingsError('GTID_INVALID', `not a MySQL GTID set: expected ${expected}, found "${shown}"`);
}

/** Canonical: sources and tags in order, intervals merged. The server's own text has `,\n` between UUIDs. */
export function printGtidSet(sources: ReadonlyMap<MysqlGtidSource, GnoIntervals>, separator: string): string {
  let text = '';
  let lastUuid = '';
  for (const source of [...sources.keys()].toSorted()) {
    const uuid = sourceUuid(source);
    const tag = sourceTag(source);
    if (uuid !== lastUuid) text += (text === '' ? '' : separator) + uuid;
    if (tag !== '') text += `:${tag}`;
    forEachInterval(sources.get(source) ?? [], (first, last) => {
      text += first === last ? `:${first}` : `:${first}-${last}`;
    });
    lastUuid = uuid;
  }
  return text;
}
