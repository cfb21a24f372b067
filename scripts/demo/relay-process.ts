import { TidingsProcess } from './tidings-process.ts';

export interface RelayOptions {
  readonly stream: string;
  /** The database, as the relay's configuration names it. */
  readonly sourceUrl: string;
  /** So that a snapshot takes a while. */
  readonly snapshotRowsPerSecond: number;
}

/** How far the snapshot of a group is, by the relay's account. */
export interface SnapshotProgress {
  readonly state: 'running' | 'paused' | 'done' | 'failed' | 'cancelled';
  /** That were read. */
  readonly rows: number;
  /** Of all of it, pauses included; null until it is over. */
  readonly tookMs: number | null;
}

interface Failure {
  readonly code: string;
  readonly message: string;
}

interface SnapshotAnswer {
  readonly id: number;
  readonly state: SnapshotProgress['state'];
  readonly group: string | null;
  readonly rows: number;
  readonly created: string;
  readonly ended: string | null;
  readonly error: Failure | null;
  /** Only where one is asked for. */
  readonly tables?: readonly { readonly table: string; readonly error: Failure | null }[];
}

/** The relay: a `tidings run` with the stream, and what it says of it. */
export class RelayProcess implements AsyncDisposable {
  readonly #tidings: TidingsProcess;
  /** Of the stream, in the relay's API. */
  readonly #path: string;

  private constructor(tidings: TidingsProcess, stream: string) {
    this.#tidings = tidings;
    this.#path = `/v1/streams/${stream}`;
  }

  /** Only prepares it. */
  static async create({ stream, sourceUrl, snapshotRowsPerSecond }: RelayOptions): Promise<RelayProcess> {
    const config = `streams:
  ${stream}:
    source:
      type: mysql
      url: ${JSON.stringify(sourceUrl)}
      from: now
    snapshotLimits: { rowsPerSecond: ${snapshotRowsPerSecond} }
`;
    return new RelayProcess(await TidingsProcess.create('relay', config), stream);
  }

  get url(): string {
    return this.#tidings.url;
  }

  /** Resolves when it serves. @throws DemoError when it ends instead */
  async start(signal: AbortSignal): Promise<void> {
    await this.#tidings.start(async () => (await this.#tidings.get(this.#path)) !== null, signal);
  }

  /** Rejects when it has ended without having been killed. */
  async endedByItself(signal: AbortSignal): Promise<never> {
    return await this.#tidings.endedByItself(signal);
  }

  /** SIGKILL; resolves when it is dead. */
  async kill(): Promise<void> {
    await this.#tidings.kill();
  }

  /** How many changes a group has still before it, all members together; null when the relay does not say. */
  async lagOf(group: string): Promise<number | null> {
    const answer = await this.#tidings.get(`${this.#path}/groups/${group}`);
    return (answer as { readonly lag?: { readonly changes: number } } | null)?.lag?.changes ?? null;
  }

  /** Null while there is none, or the relay does not say. */
  async snapshotOf(group: string): Promise<SnapshotProgress | null> {
    const snapshot = await this.#snapshot(group);
    if (snapshot === null) return null;
    const { state, rows, created, ended } = snapshot;
    return { state, rows, tookMs: ended === null ? null : Date.parse(ended) - Date.parse(created) };
  }

  /** What is wrong with the snapshot of a group and with its tables, in words; empty when the relay does not say. */
  async snapshotFailures(group: string): Promise<readonly string[]> {
    const id = (await this.#snapshot(group))?.id;
    const answer = id === undefined ? null : await this.#tidings.get(`${this.#path}/snapshots/${id}`);
    const snapshot = answer as SnapshotAnswer | null;
    const failures = [{ table: 'all', error: snapshot?.error ?? null }, ...(snapshot?.tables ?? [])];
    return failures.flatMap(({ table, error }) => (error === null ? [] : `${table}: ${error.code}: ${error.message}`));
  }

  /** SCN of the stream's last change; null when the relay does not say. */
  async end(): Promise<number | null> {
    const answer = await this.#tidings.get(this.#path);
    return (answer as { readonly last: number | null } | null)?.last ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tidings[Symbol.asyncDispose]();
  }

  async #snapshot(group: string): Promise<SnapshotAnswer | null> {
    const answer = (await this.#tidings.get(`${this.#path}/snapshots`)) as readonly SnapshotAnswer[] | null;
    return answer?.find((each) => each.group === group) ?? null;
  }
}
