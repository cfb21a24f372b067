import { ERROR_CATALOG, type ErrorCode } from '../core/error-catalog.ts';
import { TidingsError } from '../core/errors.ts';

/** What the relay says of a failure: in a problem+json answer (RFC 9457) or in a control frame. */
export interface RelayFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** The parameter that is wrong. */
  readonly field?: string;
}

/** An error of the relay, as it would be thrown in the relay's own process. A code of a newer relay is kept in the details. */
export function failureError(failure: RelayFailure, status?: number): TidingsError {
  const { code, message, hint, field } = failure;
  const details = {
    ...(field === undefined ? {} : { field }),
    ...(status === undefined ? {} : { status }),
    ...(isErrorCode(code) ? {} : { code }),
  };
  // The relay, or what stands before it, says that this will pass.
  const passes = status !== undefined && PASSING.has(status);
  return new TidingsError(isErrorCode(code) ? code : codeOfStatus(status), message, {
    ...(hint === '' ? {} : { hint }),
    ...(passes ? { retry: 'backoff' } : {}),
    details,
  });
}

/** An answer that is no success. */
export interface Refusal {
  readonly status: number;
  /** What it says, as far as it was read. */
  readonly body: string;
  /** Of a redirect: the header of that name. */
  readonly location?: string | undefined;
  /** What was asked: `GET`. */
  readonly method: string;
  /** Where, behind the relay's address. */
  readonly path: string;
  /** The relay's address, with the path that a proxy gave it. */
  readonly base: string;
  /** The relay, for messages: "the relay at http://…" */
  readonly name: string;
}

/** The error that such an answer means. */
export function answerError(refusal: Refusal): TidingsError {
  const { status, body, method, name } = refusal;
  const failure = parseProblem(body);
  if (failure !== null) return failureError(failure, status);
  const [path = ''] = refusal.path.split('?', 1);
  const details = { status };
  if (status >= 300 && status < 400) {
    const target = redirectTarget(refusal);
    return new TidingsError(
      'SERVER_ERROR',
      `${name} answers ${method} ${path} with status ${status}, ${target === null ? 'and does not say where to go' : `and points to ${target}`}`,
      {
        hint: "Connect to that address, if it is the relay's. Tidings follows no redirect: the token would go to whoever is there.",
        details: { ...details, ...(target === null ? {} : { location: target }) },
      },
    );
  }
  // A relay says what there is not. This may be a proxy whose relay is away.
  if (status === 404) {
    return new TidingsError(
      'PROTOCOL_VIOLATION',
      `${name} answers ${method} ${path} with status 404, as no relay does`,
      {
        hint: 'Check that the address is that of a relay, with the path that a proxy has given it.',
        details,
      },
    );
  }
  return new TidingsError(codeOfStatus(status), `${method} ${path} was answered with status ${status}`, {
    ...(status >= 500 || PASSING.has(status) ? { retry: 'backoff' } : {}),
    details,
  });
}

/**
 * The address to connect to instead, where a redirect leads to the same path; else where it leads. Without what is in it of a query, a user or a
 * password, which may be secret.
 */
function redirectTarget({ location, base, path: asked }: Refusal): string | null {
  const [path = ''] = asked.split('?', 1);
  if (location === undefined || !URL.canParse(location, base + path)) return null;
  const { protocol, host, pathname } = new URL(location, base + path);
  const kept = pathname.endsWith(path) ? pathname.slice(0, pathname.length - path.length) : pathname;
  return `${protocol}//${host}${kept}`;
}

/** What a socket's failure means. @param what the subject of the message: "the relay at http://…" */
export function networkError(error: unknown, what: string, phase: 'connecting' | 'reading'): TidingsError {
  const code = codeOf(error);
  const details = code === '' ? {} : { code };
  if (TLS_FAILURE.test(code)) {
    return new TidingsError('TLS_FAILED', `the connection to ${what} could not be encrypted`, {
      cause: error,
      details,
      hint: 'Check that the relay speaks TLS and that `tls.ca` names the authority that signed its certificate.',
    });
  }
  if (NO_HTTP.test(code)) {
    return new TidingsError('PROTOCOL_VIOLATION', `what answers in the place of ${what} is no HTTP server`, {
      cause: error,
      details,
      hint: 'Check that address and port are those of a relay, and whether it wants https.',
    });
  }
  // A name that does not resolve may do so in a moment: a relay that is being moved looks like this.
  if (phase === 'connecting') {
    return new TidingsError('CONNECTION_FAILED', `${what} cannot be reached`, {
      cause: error,
      details,
      hint: 'Check the address and that the relay runs; Tidings tries again by itself.',
    });
  }
  return new TidingsError('CONNECTION_LOST', `the connection to ${what} was lost`, {
    cause: error,
    details,
    hint: 'None is needed: Tidings connects again and goes on behind the last change.',
  });
}

const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);
/** What Node's parser says; but not of an answer that was cut off. */
const NO_HTTP = /^HPE_(?!INVALID_EOF_STATE)/;
const TLS_FAILURE =
  /^(ERR_TLS_|ERR_SSL_|EPROTO$|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|UNABLE_TO_)/;

function codeOfStatus(status: number | undefined): ErrorCode {
  switch (status) {
    case 401:
      return 'UNAUTHORIZED';
    case 403:
      return 'FORBIDDEN';
    case 404:
      return 'STREAM_UNKNOWN';
    case 408:
    case 425:
    case 429:
    case 502:
    case 503:
    case 504:
      return 'SERVER_BUSY';
    default:
      return 'SERVER_ERROR';
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CATALOG, code);
}

function parseProblem(body: string): RelayFailure | null {
  let problem: unknown;
  try {
    problem = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof problem !== 'object' || problem === null) return null;
  const { code, detail, hint, field } = problem as Readonly<Record<string, unknown>>;
  if (typeof code !== 'string' || typeof detail !== 'string') return null;
  return {
    code,
    message: detail,
    hint: typeof hint === 'string' ? hint : '',
    ...(typeof field === 'string' ? { field } : {}),
  };
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
