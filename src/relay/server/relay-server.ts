import SerializerSelector from '@fastify/fast-json-stringify-compiler';
import fastifySwagger from '@fastify/swagger';
import fastify, { type FastifyHttpsOptions, type FastifyInstance } from 'fastify';
import { lookup } from 'node:dns/promises';
import type { Server as SecureServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../../base/clock.ts';
import { hasRepeatedKeys } from '../../base/repeated-keys.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { SinkService } from '../../core/sink-service.ts';
import { isTransient } from '../../core/retry.ts';
import { Authenticator } from './auth.ts';
import { addChangesRoutes } from './changes-routes.ts';
import { addGroupRoutes } from './group-routes.ts';
import { addHealthRoutes } from './health-routes.ts';
import { type HttpOptions, type ResolvedHttpOptions, resolveHttpOptions } from './http-options.ts';
import { KnownPaths } from './known-paths.ts';
import { LagMeter } from './lag.ts';
import { addMemberRoutes } from './member-routes.ts';
import { openApiOptions } from './openapi.ts';
import { OpenResponses } from './open-responses.ts';
import { PROBLEM_TYPE, problemOf } from './problem.ts';
import { addReaderRoutes } from './reader-routes.ts';
import {
  answerBadPath,
  answerBrokenRequest,
  answerExpectations,
  checkHost,
  checkNoBody,
  checkOrigin,
  checkQueryEncoding,
  notJson,
  nothingUnder,
  repeatedField,
} from './refusals.ts';
import { SCHEMAS } from './schemas.ts';
import { isFailedOpening, type ServedRelay } from './served-relay.ts';
import { ServerMetrics } from './server-metrics.ts';
import { addSinkRoutes } from './sink-routes.ts';
import { addSnapshotRoutes } from './snapshot-routes.ts';
import { addStreamRoutes } from './stream-routes.ts';
import type { RouteContext } from './routing.ts';

export interface RelayServerOptions {
  readonly relay: ServedRelay;
  /** @default none */
  readonly sinks?: SinkService | undefined;
  /** Takes secrets out of what an answer says of a failure. @default leaves it as it is */
  readonly redact?: ((text: string) => string) | undefined;
  readonly http: HttpOptions;
  readonly log: Logger;
  readonly clock?: Clock;
  /** The version of Tidings, for the description and `/livez`. */
  readonly version: string;
}

export interface ServerAddress {
  /** Where the API is: `http://127.0.0.1:8400`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

/** The HTTP API of a relay: docs/reference/http-api.md. */
export interface RelayServer extends AsyncDisposable {
  /** Accepts requests from when it resolves. @throws TidingsError CONFIG_INVALID when the address cannot be bound */
  listen(): Promise<ServerAddress>;
  /** The OpenAPI document. */
  openApi(): object;
  /**
   * Refuses what comes, ends the responses with changes where a frame ends, waits for the others, and closes. Whoever does not take the
   * rest within `graceMs` is cut off. Idempotent.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

const NO_SINKS: SinkService = { all: new Map() };
const BODY_BYTES_MAX = 1024 * 1024;
const HEADER_BYTES_MAX = 32 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;
const NAME_MAX = 200;

/** @throws TidingsError CONFIG_INVALID when the options would leave the relay open to others, or cannot be used */
export async function createRelayServer(options: RelayServerOptions): Promise<RelayServer> {
  const http = resolveHttpOptions(options.http, options.log);
  const server = new HttpRelayServer(options, http);
  await server.prepare();
  return server;
}

class HttpRelayServer implements RelayServer {
  readonly #app: FastifyInstance;
  readonly #http: ResolvedHttpOptions;
  readonly #log: Logger;
  readonly #context: RouteContext;
  readonly #responses: OpenResponses = new OpenResponses();
  readonly #auth: Authenticator;
  readonly #paths: KnownPaths = new KnownPaths();
  #closed: Promise<void> | null = null;

  constructor(
    { relay, sinks = NO_SINKS, redact = (text) => text, log, clock = systemClock, version }: RelayServerOptions,
    http: ResolvedHttpOptions,
  ) {
    this.#http = http;
    this.#log = log;
    this.#auth = new Authenticator(http.tokens);
    this.#app = createApp(http);
    const lag = new LagMeter(clock);
    const metrics = new ServerMetrics({
      streams: () => relay.streams.values(),
      sinks: () => sinks.all.values(),
      lag,
      clock,
    });
    this.#context = { app: this.#app, relay, sinks, redact, log, clock, lag, metrics, version };
  }

  async prepare(): Promise<void> {
    const app = this.#app;
    const { stuckAfterMs, heartbeatMs, silentAfterMs } = this.#http;
    await app.register(fastifySwagger, openApiOptions(this.#context.version));
    for (const [name, schema] of Object.entries(SCHEMAS)) app.addSchema({ $id: name, ...schema });
    this.#addHooks();
    this.#addErrors();
    addHealthRoutes(this.#context, { silentAfterMs, closing: () => this.#responses.isClosing });
    addStreamRoutes(this.#context);
    addGroupRoutes(this.#context);
    addMemberRoutes(this.#context);
    addSnapshotRoutes(this.#context);
    addSinkRoutes(this.#context);
    addReaderRoutes(this.#context);
    addChangesRoutes(this.#context, { stuckAfterMs, heartbeatMs, responses: this.#responses });
    await app.ready();
  }

  async listen(): Promise<ServerAddress> {
    const { host, port, tls } = this.#http;
    try {
      await this.#app.listen({ host: await addressOf(host), port });
    } catch (error) {
      throw new TidingsError('CONFIG_INVALID', `the relay cannot listen on ${host}:${port}`, {
        hint: 'Check that the address is one of this machine, and that no other process uses the port.',
        details: { field: 'http', host, port, reason: String((error as NodeJS.ErrnoException).code) },
        cause: error,
      });
    }
    const address = this.#app.server.address();
    const bound = typeof address === 'object' && address !== null ? address.port : port;
    const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
    const url = `${tls === null ? 'http' : 'https'}://${name}:${bound}`;
    this.#log.info({ url }, 'the relay can be reached');
    return { url, host, port: bound };
  }

  openApi(): object {
    return this.#app.swagger();
  }

  close({ graceMs = 10_000 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(graceMs: number): Promise<void> {
    const deadline = new AbortController();
    const ended = this.#responses.close();
    // Listening ends at once; requests that are being answered are waited for.
    const closed = this.#app.close();
    const late = sleep(graceMs, undefined, { signal: deadline.signal }).then(
      () => this.#app.server.closeAllConnections(),
      () => undefined,
    );
    await Promise.all([ended.then(() => this.#app.server.closeIdleConnections()), closed]);
    deadline.abort();
    await late;
  }

  #addHooks(): void {
    const app = this.#app;
    const { metrics } = this.#context;
    app.decorateRequest('bearer', '');
    app.decorateRequest('bodyText', '');
    app.addHook('onRoute', ({ url, method }) => this.#paths.add(url, method));
    app.addHook('onRequest', (request, reply, next) => {
      const { role = null } = request.routeOptions.config;
      try {
        checkHost(request);
        checkOrigin(request);
        if (role !== null) request.bearer = this.#auth.authorize(request.headers.authorization, role).name;
        if (this.#responses.isClosing && request.routeOptions.url !== '/readyz') {
          void reply.header('connection', 'close');
          throw new TidingsError('RELAY_CLOSING', 'the relay is being stopped');
        }
        // Here, so that what would be wrong with its body is not said first.
        if (request.is404) throw nothingUnder(request, reply, this.#paths.methodsOf(request.url));
        next();
      } catch (error) {
        next(error as Error);
      }
    });
    app.addHook('preValidation', (request, _reply, next) => {
      const { schema } = request.routeOptions;
      try {
        checkQueryEncoding(request.url);
        if (schema?.body === undefined) checkNoBody(request.body);
        // A body that is not there is one without fields.
        else if (request.body === undefined) request.body = {};
        listsOfOne(request.query as Record<string, unknown>, schema?.querystring);
        next();
      } catch (error) {
        next(error as Error);
      }
    });
    app.addHook('onResponse', (request, reply, next) => {
      const { url: route = 'other', config } = request.routeOptions;
      const method = route === 'other' ? 'other' : request.method;
      metrics.httpRequests.inc({ method, route, status: reply.raw.statusCode });
      const { role = null } = config;
      if (role !== null && role !== 'read' && reply.raw.statusCode < 300) {
        // Who changed what: names of the path only, never the token.
        this.#log.info({ by: request.bearer, method, route, ...(request.params as object) }, 'done as requested');
      }
      if (config.streams !== true) metrics.httpSeconds.observe({ method, route }, reply.elapsedTime / 1000);
      next();
    });
  }

  #addErrors(): void {
    this.#app.setErrorHandler((error, request, reply) => {
      // The stream's trouble, whatever its code says of requests; it was logged when it came up.
      const isOfStream = isFailedOpening(this.#context.relay, error);
      const problem = problemOf(error, isOfStream ? (isTransient(error) ? 503 : 500) : undefined);
      if (problem.status >= 500 && problem.code !== 'RELAY_CLOSING' && !isOfStream) {
        this.#log.error({ error, method: request.method, route: request.routeOptions.url }, 'a request failed');
      }
      if (problem.status === 401) void reply.header('www-authenticate', challenge(request.headers.authorization));
      const { redact } = this.#context;
      const said = { ...problem, detail: redact(problem.detail), hint: redact(problem.hint) };
      return reply.code(problem.status).type(PROBLEM_TYPE).send(said);
    });
  }
}

/** For the name `localhost` fastify would add a server for each further address, of which limits and closing know nothing. */
async function addressOf(host: string): Promise<string> {
  if (host.toLowerCase() !== 'localhost') return host.replace(/^\[(.*)\]$/, '$1');
  const { address } = await lookup(host, { order: 'ipv4first' });
  return address;
}

/** A parameter that may be repeated came once. */
function listsOfOne(query: Record<string, unknown>, schema: unknown): void {
  const { properties = {} } = (schema ?? {}) as { readonly properties?: Readonly<Record<string, { type?: string }>> };
  for (const [name, value] of Object.entries(query)) {
    if (typeof value === 'string' && Object.hasOwn(properties, name) && properties[name]?.type === 'array') {
      query[name] = [value];
    }
  }
}

function challenge(authorization: string | undefined): string {
  return authorization === undefined ? 'Bearer realm="tidings"' : 'Bearer realm="tidings", error="invalid_token"';
}

function secure(options: FastifyHttpsOptions<SecureServer>): FastifyInstance {
  try {
    return fastify(options);
  } catch (error) {
    throw new TidingsError('CONFIG_INVALID', "the relay's certificate or its key cannot be used", {
      hint: 'http.tls takes a certificate chain and the key that belongs to it, both as PEM.',
      details: { field: 'http.tls', reason: String((error as NodeJS.ErrnoException).code) },
      cause: error,
    });
  }
}

/** What is not in an answer's schema is never sent. Compiling all schemas at once would be a third of what starting a relay takes: each when it is first asked for. */
const buildSerializer: SerializerSelector.SerializerFactory = (schemas, options) => {
  const compile = SerializerSelector()(schemas, options);
  return (route) => {
    let serialize: SerializerSelector.Serializer | null = null;
    return (answer) => (serialize ??= compile(route))(answer);
  };
};

function createApp({ tls, connectionsMax }: ResolvedHttpOptions): FastifyInstance {
  const http = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: REQUEST_TIMEOUT_MS,
    noDelay: true,
    requireHostHeader: false,
  };
  const common = {
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    exposeHeadRoutes: false,
    trustProxy: false,
    forceCloseConnections: 'idle' as const,
    return503OnClosing: false,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerBadPath,
    routerOptions: { maxParamLength: 3 * NAME_MAX },
    // What is not known is refused, not removed. Query texts stand for lists of one; bodies are taken as they are.
    schemaController: { compilersFactory: { buildSerializer } },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, verbose: true, allowUnionTypes: true } },
  };
  const instance = tls === null ? fastify({ ...common, http }) : secure({ ...common, https: { ...http, ...tls } });
  instance.server.maxConnections = connectionsMax;
  answerExpectations(instance.server);
  const parse = instance.getDefaultJsonParser('error', 'error');
  instance.removeContentTypeParser(['application/json', 'text/plain']);
  instance.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (request.routeOptions.config.keepsText === true) request.bodyText = body as string;
    if (body === '') done(null, undefined);
    else {
      const text = body as string;
      void parse(request, text, (error, parsed: unknown) => {
        const isAmbiguous = error === null && hasRepeatedKeys(text, parsed);
        done(isAmbiguous ? repeatedField() : error, parsed);
      });
    }
  });
  // An empty form is what `curl -d ''` sends: nothing, whatever its type.
  instance.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') done(null, undefined);
    else done(notJson());
  });
  return instance;
}
