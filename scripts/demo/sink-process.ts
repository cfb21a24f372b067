import { DemoError } from './demo-error.ts';
import { TidingsProcess } from './tidings-process.ts';

/** As the configuration names it. */
const SINK = 'copy';

export interface SinkOptions {
  readonly relayUrl: string;
  readonly stream: string;
  /** The database that has the shop. */
  readonly database: string;
  /** The other server, with the database that its copy goes to. */
  readonly targetUrl: string;
  readonly copy: string;
}

/** What the API says of a sink, as far as it is looked at. */
interface SinkAnswer {
  readonly state: string;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
  readonly deadLetters: number;
}

/** The sink that keeps the second database in step: a `tidings run` that follows another one's stream and has none of its own. */
export class SinkProcess implements AsyncDisposable {
  /** What the sink is to the relay. */
  readonly group: string = `sink-${SINK}`;
  readonly #tidings: TidingsProcess;

  private constructor(tidings: TidingsProcess) {
    this.#tidings = tidings;
  }

  /** Only prepares it. */
  static async create({ relayUrl, stream, database, targetUrl, copy }: SinkOptions): Promise<SinkProcess> {
    const config = `sinks:
  ${SINK}:
    type: mysql
    stream: ${stream}
    relay: ${relayUrl}
    url: ${JSON.stringify(targetUrl)}
    tables: { '${database}.*': { to: '${copy}.{table}' } }
    retry: { delayMin: 50ms, delayMax: 500ms }
`;
    return new SinkProcess(await TidingsProcess.create('sink', config));
  }

  /** Resolves when it is at work: begun, not necessarily connected with the relay. @throws DemoError when it ends instead */
  async start(signal: AbortSignal): Promise<void> {
    await this.#tidings.start(async () => (await this.#answer()) !== null, signal);
  }

  /** Rejects when it has ended without having been killed. */
  async endedByItself(signal: AbortSignal): Promise<never> {
    return await this.#tidings.endedByItself(signal);
  }

  /** SIGKILL; resolves when it is dead. */
  async kill(): Promise<void> {
    await this.#tidings.kill();
  }

  /** @throws DemoError when it has given up, or has set rows aside */
  async check(): Promise<void> {
    const answer = await this.#answer();
    if (answer?.state === 'failed') {
      const { code = '', message = 'it does not say why', hint = '' } = answer.error ?? {};
      throw new DemoError(`The sink has failed: ${code} ${message}\n${hint}`);
    }
    if (answer !== null && answer.deadLetters > 0) {
      throw new DemoError(`The sink has set ${answer.deadLetters} changes aside: the second database refused a row.`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tidings[Symbol.asyncDispose]();
  }

  async #answer(): Promise<SinkAnswer | null> {
    return (await this.#tidings.get(`/v1/sinks/${SINK}`)) as SinkAnswer | null;
  }
}
