import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StubAnswer {
  readonly status?: number;
  readonly body?: unknown;
}

export interface StubRequest {
  readonly request: string;
  readonly body: unknown;
}

/** A server that answers `GET /path` as it is told, several answers one after the other, the last of them for ever. */
export class ApiStub implements AsyncDisposable {
  readonly asked: StubRequest[] = [];
  /** The bodies, as they came. */
  readonly texts: string[] = [];
  readonly #answers: Record<string, StubAnswer[]> = {};
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const line = `${request.method} ${request.url}`;
      void (async () => {
        const text = await readBody(request);
        this.texts.push(text);
        this.asked.push({ request: line, body: text === '' ? null : JSON.parse(text) });
        const answers = this.#answers[line] ?? [];
        const next = answers.length > 1 ? answers.shift() : answers[0];
        const { status = 200, body } = next ?? { status: 404, body: stubProblem('STREAM_UNKNOWN', 'no') };
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      })();
    });
  }

  static async start(): Promise<ApiStub> {
    const stub = new ApiStub();
    await new Promise<void>((resolve) => {
      stub.#server.listen(0, '127.0.0.1', resolve);
    });
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  answer(request: string, ...answers: readonly StubAnswer[]): void {
    this.#answers[request] = [...answers];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

export function stubProblem(code: string, detail: string): object {
  return { type: `urn:tidings:error:${code}`, title: code, status: 400, detail, code, hint: 'The hint of the relay.' };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return text;
}
