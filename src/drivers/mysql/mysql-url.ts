import { TidingsError } from '../../core/errors.ts';
import type { ServerAddress, TlsSettings } from './connect.ts';

const PARAMETERS: ReadonlySet<string> = new Set(['tls', 'tls-ca', 'tls-cert', 'tls-key', 'socket']);

/**
 * `mysql://user:password@host:port/database?tls=verify&tls-ca=/path/ca.pem` (or `mariadb://`).
 *
 * User, password and database may be percent-encoded. `tls` is `off` (default), `on` (encrypted, certificate not checked) or
 * `verify` (authority and host name; `verify-ca`: the authority only, as MySQL's own generated certificates name no host);
 * `socket` is a Unix socket's path, used instead of host and port.
 *
 * @throws TidingsError CONFIG_INVALID; its message never holds the URL's password
 */
export function parseMysqlUrl(text: string): ServerAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw invalid('the URL cannot be read', error);
  }
  if (url.protocol !== 'mysql:' && url.protocol !== 'mariadb:') {
    throw invalid(`the URL's scheme is ${url.protocol.slice(0, -1)}, not mysql or mariadb`, undefined);
  }
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.has(name)) throw invalid(`the URL has an unknown parameter ${name}`, undefined);
  }
  const path = decode(url.pathname.replace(/^\//, ''), 'database');
  if (path.includes('/')) throw invalid('the URL names more than a database behind the host', undefined);
  const socketPath = url.searchParams.get('socket');
  if (url.hostname === '' && socketPath === null) throw invalid('the URL has no host', undefined);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 3306 : Number(url.port),
    socketPath,
    user: decode(url.username, 'user'),
    password: decode(url.password, 'password'),
    database: path === '' ? null : path,
    tls: parseTls(url.searchParams),
  };
}

function parseTls(parameters: URLSearchParams): TlsSettings | null {
  const files = {
    caFile: parameters.get('tls-ca'),
    certFile: parameters.get('tls-cert'),
    keyFile: parameters.get('tls-key'),
  };
  const mode = parameters.get('tls') ?? (files.caFile === null ? (files.certFile === null ? 'off' : 'on') : 'verify');
  switch (mode) {
    case 'off':
      return null;
    case 'on':
    case 'verify-ca':
    case 'verify':
      return { mode, ...files };
    default:
      throw invalid(`tls=${mode} is not one of off, on, verify-ca, verify`, undefined);
  }
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw invalid(`the URL's ${part} is not percent-encoded correctly`, error);
  }
}

function invalid(message: string, cause: unknown): TidingsError {
  return new TidingsError('CONFIG_INVALID', message, {
    hint: 'Write mysql://user:password@host:3306/database?tls=verify; percent-encode special characters of user and password.',
    cause: cause instanceof Error ? new Error(cause.name) : undefined,
  });
}
