import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { TidingsError } from '../../core/errors.ts';
import { badRequest, PROBLEM_TYPE, problemOf } from './problem.ts';

/**
 * What is refused before any route sees it: texts that are no HTTP, heads that are too long or too late, paths that cannot be decoded. These
 * answers are problems, too.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  // Behind the head of an answer that is on its way another one would be read as a part of it.
  const { _httpMessage: answer } = socket as Socket & { readonly _httpMessage?: ServerResponse | null };
  if (error.code === 'ECONNRESET' || !socket.writable || answer?.headersSent === true) {
    socket.destroy(error);
    return;
  }
  const problem = problemOf(brokenRequest(error.code));
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroy(error);
}

function brokenRequest(code: string | undefined): TidingsError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return refusal(431, 'the head of the request is longer than the limit of 32 KiB');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refusal(408, 'the request did not arrive within 30 seconds');
    default:
      return refusal(400, 'this is no HTTP request');
  }
}

function refusal(status: number, message: string, field?: string): TidingsError {
  return new TidingsError('REQUEST_INVALID', message, {
    details: { status, ...(field === undefined ? {} : { field }) },
  });
}

/** A path that the router gives up on. */
export function answerBadPath(error: Error, _request: FastifyRequest, reply: FastifyReply): void {
  const isTooLong = (error as { readonly statusCode?: number }).statusCode === 414;
  const problem = problemOf(
    isTooLong
      ? refusal(414, 'a name in the path is too long')
      : badRequest('path', 'the path is not percent-encoded UTF-8'),
  );
  void reply.code(problem.status).type(PROBLEM_TYPE).send(problem);
}

const ASKING: ReadonlySet<string> = new Set(['HEAD', 'OPTIONS']);

/**
 * For a request that no route takes. Other methods than those of the path are told with the header that HTTP has for it; who only asks what there is
 * (HEAD, OPTIONS) hears that there is nothing.
 */
export function nothingUnder(
  { method }: FastifyRequest,
  reply: FastifyReply,
  methods: readonly string[],
): TidingsError {
  if (methods.length === 0 || ASKING.has(method)) {
    return new TidingsError('REQUEST_INVALID', 'the relay has nothing under this path and method', {
      hint: 'GET /v1/openapi.json lists what there is.',
      details: { status: 404 },
    });
  }
  const allowed = methods.join(', ');
  void reply.header('allow', allowed);
  return new TidingsError('REQUEST_INVALID', 'this path does not take this method', {
    hint: `It takes ${allowed}. GET /v1/openapi.json lists what there is.`,
    details: { status: 405 },
  });
}

/** An `Expect` other than 100-continue. */
export function answerExpectations(server: Server): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const problem = problemOf(refusal(417, '"Expect" can only be 100-continue', 'Expect'));
    response.writeHead(417, { 'content-type': PROBLEM_TYPE }).end(JSON.stringify(problem));
  });
}

/** @throws TidingsError REQUEST_INVALID for HTTP/1.1 without a host, which the server is told to let through so that this can be answered */
export function checkHost({ raw }: FastifyRequest): void {
  if (raw.httpVersion === '1.1' && raw.headers.host === undefined) {
    throw badRequest('Host', 'the request has no header Host');
  }
}

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * A page of another origin cannot read an answer, as no CORS headers are sent, but a browser sends a POST without a body for it all the same:
 * to a relay without tokens, too. What does not come from a page has neither header.
 *
 * @throws TidingsError REQUEST_INVALID, status 403
 */
export function checkOrigin({ method, headers }: FastifyRequest): void {
  if (READING.has(method)) return;
  const { host, origin, 'sec-fetch-site': site } = headers;
  const isOwn =
    site === undefined
      ? origin === undefined || origin.replace(/^https?:\/\//, '') === host
      : site === 'same-origin' || site === 'none';
  if (!isOwn) throw refusal(403, 'a page of another origin asks for this', 'Origin');
}

/**
 * The parser takes a value that cannot be decoded as it is: then it would mean something else than the sender thinks.
 *
 * @throws TidingsError REQUEST_INVALID naming the parameter
 */
export function checkQueryEncoding(url: string): void {
  const at = url.indexOf('?');
  if (at < 0 || !url.includes('%', at)) return;
  for (const parameter of url.slice(at + 1).split('&')) {
    if (isDecodable(parameter)) continue;
    const [name = ''] = parameter.split('=', 1);
    throw isDecodable(name)
      ? badRequest(decodeURIComponent(name), `"${decodeURIComponent(name)}" is not percent-encoded UTF-8`)
      : badRequest('query', 'the name of a parameter is not percent-encoded UTF-8');
  }
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** A body that nobody here reads: as fastify refuses a type that is none. */
export function notJson(): Error {
  return Object.assign(new Error('the body is not JSON'), { statusCode: 415 });
}

/** Which of the two was meant cannot be told. */
export function repeatedField(): TidingsError {
  return badRequest('body', 'an object in the body has a field twice');
}

/** For routes that take none. @throws TidingsError REQUEST_INVALID: what somebody sends is never ignored */
export function checkNoBody(body: unknown): void {
  if (body === undefined) return;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequest('body', 'this request takes no body');
  }
  const [field] = Object.keys(body);
  if (field !== undefined) throw badRequest(field, `there is no field "${field}"`, 'This request takes none.');
}
