import type { FastifyError } from 'fastify';
import { ERROR_CATALOG, type ErrorCode } from '../../core/error-catalog.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** The body of every answer that is an error: RFC 9457 with three members of our own. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly hint: string;
  /** The parameter, or the place in the body, that is wrong. */
  readonly field?: string;
}

/** Those that are not here are the relay's own trouble: 500. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  CONFIG_INVALID: 400,
  REQUEST_INVALID: 400,
  POSITION_INVALID: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  STREAM_UNKNOWN: 404,
  DEAD_LETTER_UNKNOWN: 404,
  GROUP_UNKNOWN: 404,
  GROUP_MEMBER_UNKNOWN: 404,
  GROUP_IN_USE: 409,
  GROUP_INVALID: 409,
  SCN_UNKNOWN: 409,
  SCN_PURGED: 410,
  SNAPSHOT_INVALID: 409,
  SNAPSHOT_KEYS_INVALID: 400,
  SNAPSHOT_UNKNOWN: 404,
  SNAPSHOT_UNSUPPORTED: 409,
  SINK_NOT_RUNNING: 409,
  SINK_UNKNOWN: 404,
  DISK_ERROR: 503,
  DISK_FULL: 503,
  RELAY_CLOSING: 503,
};

/** A request that is wrong in one of its parameters or in its body. */
export function badRequest(field: string, message: string, hint?: string): TidingsError {
  return new TidingsError('REQUEST_INVALID', message, { details: { field }, ...(hint === undefined ? {} : { hint }) });
}

/** What a client is told of a failure: the message of an error of ours; of any other nothing, and never a stack. */
export function problemOf(error: unknown, status?: number): Problem {
  const known = isTidingsError(error) ? error : fromFastify(error as FastifyError);
  const { field, status: own } = known.details;
  return {
    type: `urn:tidings:error:${known.code}`,
    title: ERROR_CATALOG[known.code]?.cause ?? known.code,
    status: status ?? (typeof own === 'number' ? own : (STATUS[known.code] ?? 500)),
    detail: known.message,
    code: known.code,
    hint: known.hint,
    ...(typeof field === 'string' ? { field } : {}),
  };
}

/** Fastify's own refusals: a body that is too long, no JSON, or not as the route's schema says. */
function fromFastify(error: FastifyError): TidingsError {
  const status = error.statusCode ?? 500;
  const [violation] = error.validation ?? [];
  if (violation !== undefined) {
    const { keyword, instancePath, params, message = 'is wrong' } = violation;
    const place = instancePath.split('/').slice(1).map(decodePointer);
    const inside = error.validationContext === 'body' ? 'the body' : 'the request';
    if (keyword === 'additionalProperties') {
      const extra = String(params['additionalProperty']);
      return badRequest(
        [...place, extra].join('.'),
        `there is no ${parameterOrField(error)} "${extra}"`,
        allowedHint(violation),
      );
    }
    if (keyword === 'required') {
      const missing = String(params['missingProperty']);
      return badRequest([...place, missing].join('.'), `${inside} has no "${[...place, missing].join('.')}"`);
    }
    const field = place.join('.');
    return field === '' ? badRequest('body', `${inside} ${message}`) : badRequest(field, `"${field}" ${message}`);
  }
  if (status >= 400 && status < 500) {
    const { message, field } = REFUSALS[status] ?? { message: 'the request cannot be used' };
    return new TidingsError('REQUEST_INVALID', message, {
      details: { status, ...(field === undefined ? {} : { field }) },
      cause: error,
    });
  }
  return new TidingsError('INTERNAL_ERROR', 'the relay failed to answer this request', { cause: error });
}

const REFUSALS: Readonly<Record<number, { readonly message: string; readonly field?: string }>> = {
  // Not the parser's own message: it would repeat a part of the body (I10).
  400: { message: 'the body is no JSON', field: 'body' },
  413: { message: 'the body is longer than the limit of 1 MiB', field: 'body' },
  415: { message: 'the body must be application/json', field: 'Content-Type' },
};

function parameterOrField(error: FastifyError): string {
  return error.validationContext === 'body' ? 'field' : 'parameter';
}

type Violation = NonNullable<FastifyError['validation']>[number] & { readonly parentSchema?: unknown };

/** The names that the schema has: the server's validator runs with `verbose`. */
function allowedHint({ parentSchema }: Violation): string {
  const { properties = {} } = (parentSchema ?? {}) as { readonly properties?: object };
  const allowed = Object.keys(properties);
  return allowed.length === 0 ? 'This request takes none.' : `Allowed are ${allowed.join(', ')}.`;
}

function decodePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}
