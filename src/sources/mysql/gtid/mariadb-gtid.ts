import { TidingsError } from '../../../core/errors.ts';
import { type Gno, parseGno } from './gno.ts';

/** One transaction of MariaDB: `domain-server-sequence`. */
export interface MariadbGtid {
  readonly domain: number;
  readonly server: number;
  readonly sequence: Gno;
}

export function formatMariadbGtid({ domain, server, sequence }: MariadbGtid): string {
  return `${domain}-${server}-${sequence}`;
}

/** So many domains are remembered one by one before they are folded into the base. */
const LINKS_MAX = 32;
const U32_MAX = 0xffff_ffff;
const U64_MAX = 2n ** 64n - 1n;

/**
 * How far each replication domain has come: its last GTID, as in `gtid_slave_pos`. Immutable; `with` costs one small object, also
 * when there are many domains, so that each transaction of a stream can hold its position. Holding one keeps at most LINKS_MAX
 * others alive.
 */
export class MariadbGtidPosition {
  static readonly EMPTY: MariadbGtidPosition = MariadbGtidPosition.#from(new Map());

  readonly #base: ReadonlyMap<number, MariadbGtid>;
  // The newest GTID; what comes before it is in #earlier, then in #base. Nothing was added yet while #length is 0.
  readonly #domain: number;
  readonly #server: number;
  readonly #sequence: Gno;
  readonly #earlier: MariadbGtidPosition | null;
  readonly #length: number;

  // Positional, since an options object for each transaction of the stream would double what it allocates.
  // oxlint-disable-next-line max-params
  private constructor(
    base: ReadonlyMap<number, MariadbGtid>,
    domain: number,
    server: number,
    sequence: Gno,
    earlier: MariadbGtidPosition | null,
    length: number,
  ) {
    this.#base = base;
    this.#domain = domain;
    this.#server = server;
    this.#sequence = sequence;
    this.#earlier = earlier;
    this.#length = length;
  }

  /**
   * The server's text: GTIDs separated by commas, one for each domain; white space around them is taken.
   * @throws TidingsError GTID_INVALID
   */
  static parse(text: string): MariadbGtidPosition {
    const found = new Map<number, MariadbGtid>();
    for (const part of text.trim() === '' ? [] : text.split(',')) {
      const gtid = parseMariadbGtid(part);
      if (found.has(gtid.domain)) {
        throw new TidingsError('GTID_INVALID', `not a MariaDB GTID position: domain ${gtid.domain} is named twice`);
      }
      found.set(gtid.domain, gtid);
    }
    return MariadbGtidPosition.#from(found);
  }

  /** From a list that may name a domain several times, the last one counting, as GTID_LIST_EVENT is ordered. */
  static of(gtids: Iterable<MariadbGtid>): MariadbGtidPosition {
    const found = new Map<number, MariadbGtid>();
    for (const { domain, server, sequence } of gtids) found.set(domain, { domain, server, sequence });
    return MariadbGtidPosition.#from(found);
  }

  static #from(base: ReadonlyMap<number, MariadbGtid>): MariadbGtidPosition {
    return new MariadbGtidPosition(base, 0, 0, 0, null, 0);
  }

  get isEmpty(): boolean {
    return this.#length === 0 && this.#base.size === 0;
  }

  /** The position after one more transaction. */
  with(domain: number, server: number, sequence: Gno): MariadbGtidPosition {
    const length = this.#length;
    if (length === 0) return new MariadbGtidPosition(this.#base, domain, server, sequence, null, 1);
    if (this.#domain === domain) {
      return new MariadbGtidPosition(this.#base, domain, server, sequence, this.#earlier, length);
    }
    if (length < LINKS_MAX) return new MariadbGtidPosition(this.#base, domain, server, sequence, this, length + 1);
    return new MariadbGtidPosition(this.#gtids(), domain, server, sequence, null, 1);
  }

  /** The last GTID of a domain; null when there is none. */
  get(domain: number): MariadbGtid | null {
    for (let link: MariadbGtidPosition | null = this; link !== null && link.#length > 0; link = link.#earlier) {
      if (link.#domain === domain) return { domain, server: link.#server, sequence: link.#sequence };
    }
    return this.#base.get(domain) ?? null;
  }

  /** The last GTID of every domain, by domain. */
  gtids(): readonly MariadbGtid[] {
    return [...this.#gtids().values()].toSorted((a, b) => a.domain - b.domain);
  }

  /**
   * Whether every domain has come at least as far as in the other position. Numbers of one domain ascend through the whole topology,
   * so the server that gave them is not compared.
   */
  covers(other: MariadbGtidPosition): boolean {
    return other.gtids().every(({ domain, sequence }) => {
      const mine = this.get(domain);
      return mine !== null && mine.sequence >= sequence;
    });
  }

  /** −1, 0 or 1 for earlier, equal and later; null where each is ahead in some domain. */
  compare(other: MariadbGtidPosition): -1 | 0 | 1 | null {
    const ahead = this.covers(other);
    const behind = other.covers(this);
    if (ahead && behind) return 0;
    if (ahead) return 1;
    return behind ? -1 : null;
  }

  equals(other: MariadbGtidPosition): boolean {
    return this.toString() === other.toString();
  }

  /** As the server takes it, by domain. */
  toString(): string {
    return this.gtids().map(formatMariadbGtid).join(',');
  }

  #gtids(): ReadonlyMap<number, MariadbGtid> {
    if (this.#length === 0) return this.#base;
    const found = new Map(this.#base);
    const newer = new Set<number>();
    for (let link: MariadbGtidPosition | null = this; link !== null; link = link.#earlier) {
      if (newer.has(link.#domain)) continue;
      newer.add(link.#domain);
      found.set(link.#domain, { domain: link.#domain, server: link.#server, sequence: link.#sequence });
    }
    return found;
  }
}

/** @throws TidingsError GTID_INVALID */
export function parseMariadbGtid(text: string): MariadbGtid {
  const parts = text.trim().split('-');
  const [domain, server, sequence] = parts.map(parseGno);
  const valid =
    parts.length === 3 &&
    typeof domain === 'number' &&
    typeof server === 'number' &&
    domain <= U32_MAX &&
    server <= U32_MAX &&
    sequence !== null &&
    sequence !== undefined &&
    sequence <= U64_MAX;
  if (!valid) {
    const shown = text.length > 64 ? `${text.slice(0, 64)}…` : text;
    throw new TidingsError(
      'GTID_INVALID',
      `not a MariaDB GTID: expected domain-server-sequence such as 0-1-42, found "${shown}"`,
    );
  }
  return { domain, server, sequence };
}
