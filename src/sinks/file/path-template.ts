import { createHash } from 'node:crypto';
import type { TableSchema } from '../../core/table-schema.ts';

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'database' | 'table' | 'date' | 'hour' };

const PLACEHOLDER = /\{(\w*)\}/g;
const HOUR_US = 3_600_000_000;
/** File systems take 255. */
const SEGMENT_BYTES_MAX = 240;
const HASH_DIGITS = 16;

/**
 * Where below the sink's directory the files of a row lie: `{database}/{table}/date={date}`. `{date}` and `{hour}` are those of the commit, in UTC.
 */
export class PathTemplate {
  readonly #parts: readonly Part[];
  readonly hasTable: boolean;
  /** The rows of each table lie in folders of their own. */
  readonly separatesTables: boolean;
  readonly #known: Map<string, string> = new Map();
  readonly #usesTime: boolean;
  /** Rows that follow one another mostly have the same. */
  #last: { readonly table: TableSchema | null; readonly hour: number; readonly folder: string } = {
    table: null,
    hour: 0,
    folder: '',
  };

  /** @throws RangeError saying what is wrong with it */
  constructor(template: string) {
    const parts: Part[] = [];
    let at = 0;
    for (const match of template.matchAll(PLACEHOLDER)) {
      if (match.index > at) parts.push({ kind: 'text', text: template.slice(at, match.index) });
      const [whole, name] = match;
      if (name !== 'database' && name !== 'table' && name !== 'date' && name !== 'hour') {
        throw new RangeError(`${whole} is none of {database}, {table}, {date}, {hour}`);
      }
      parts.push({ kind: name });
      at = match.index + whole.length;
    }
    if (at < template.length) parts.push({ kind: 'text', text: template.slice(at) });
    const texts = parts.map((part) => (part.kind === 'text' ? part.text : 'x')).join('');
    if (/[{}\0]/.test(texts)) throw new RangeError('it has a brace that belongs to no placeholder');
    if (template !== '' && texts.split('/').some((segment) => segment === '' || /^[._]/.test(segment))) {
      throw new RangeError(
        'each of its folders needs a name that begins with neither "." nor "_", and none at the beginning or end a "/"',
      );
    }
    this.#parts = parts;
    this.hasTable = parts.some(({ kind }) => kind === 'table');
    const segments = template.split('/');
    const inOneSegment = segments.some((segment) => segment.includes('{database}') && segment.includes('{table}'));
    // With both in one name, `a_b.c` and `a.b_c` would be the same.
    this.separatesTables = this.hasTable && parts.some(({ kind }) => kind === 'database') && !inOneSegment;
    this.#usesTime = parts.some(({ kind }) => kind === 'date' || kind === 'hour');
  }

  /** With a `/` at its end, if it is not empty. */
  folder(table: TableSchema, committedAtUs: number): string {
    const hour = this.#usesTime ? Math.floor(committedAtUs / HOUR_US) : 0;
    if (table !== this.#last.table || hour !== this.#last.hour) {
      this.#last = { table, hour, folder: this.#rendered(table, hour) };
    }
    return this.#last.folder;
  }

  #rendered({ database, name }: TableSchema, hour: number): string {
    const id = `${hour}/${database}\0${name}`;
    let known = this.#known.get(id);
    if (known === undefined) {
      // As many as there may be in a while; then it begins anew, so that it does not grow for ever (I7).
      if (this.#known.size >= 1000) this.#known.clear();
      known = this.#render({ database, name }, hour);
      this.#known.set(id, known);
    }
    return known;
  }

  #render({ database, name }: Pick<TableSchema, 'database' | 'name'>, hour: number): string {
    const iso = this.#usesTime ? new Date(hour * 3_600_000).toISOString() : '';
    const path = this.#parts
      .map((part) => {
        switch (part.kind) {
          case 'text':
            return part.text;
          case 'database':
            return folderName(database);
          case 'table':
            return folderName(name);
          case 'date':
            return iso.slice(0, 10);
          case 'hour':
            return iso.slice(11, 13);
        }
      })
      .join('');
    return path === '' ? '' : `${path.split('/').map(bounded).join('/')}/`;
  }
}

/** A name that would be too long ends with a hash of it. */
function bounded(segment: string): string {
  if (Buffer.byteLength(segment) <= SEGMENT_BYTES_MAX) return segment;
  const hash = createHash('sha256').update(segment).digest('hex').slice(0, HASH_DIGITS);
  let kept = '';
  for (const character of segment) {
    if (Buffer.byteLength(kept + character) + 1 + HASH_DIGITS > SEGMENT_BYTES_MAX) break;
    kept += character;
  }
  return `${kept.replace(/%.?$/, '')}~${hash}`;
}

/** What file systems and readers of folders treat in a way of their own is written as `%2F`. */
function folderName(name: string): string {
  const plain = name.replace(/[^\p{L}\p{N}_.\-$ ]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
  return plain.replace(/^[._]/, (first) => (first === '.' ? '%2E' : '%5F'));
}
