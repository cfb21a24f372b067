import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';

/** What a token allows; each role includes the ones before it. */
export type Role = 'read' | 'operate' | 'admin';

export const ROLES: readonly Role[] = ['read', 'operate', 'admin'];

export interface TokenOptions {
  /** What a client sends as `Authorization: Bearer <token>`. */
  readonly token: string;
  readonly role: Role;
  /** What the log calls its bearer. @default the role */
  readonly name?: string;
}

/** Certificate chain and private key as PEM text. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
}

export interface HttpOptions {
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** 0: any free one. @default 8400 */
  readonly port?: number;
  /** Without any, everybody on this machine may do everything, and no other interface can be bound. */
  readonly tokens?: readonly TokenOptions[];
  readonly tls?: TlsOptions;
  /** More connections at a time are refused. @default 1000 */
  readonly connectionsMax?: number;
  /** A consumer that takes nothing for so long is disconnected. @default 5 minutes */
  readonly stuckAfterMs?: number;
  /** How often a line response of a quiet stream says that it is alive. @default 15 seconds */
  readonly heartbeatMs?: number;
  /** `/readyz` fails when a running stream's source was not heard of for so long. @default 60 seconds */
  readonly silentAfterMs?: number;
}

export interface ResolvedHttpOptions extends Required<Omit<HttpOptions, 'tls'>> {
  readonly tls: TlsOptions | null;
}

const MINUTE_MS = 60_000;

/** @throws TidingsError CONFIG_INVALID when the server would be open to others without a token */
export function resolveHttpOptions(options: HttpOptions, log: Logger): ResolvedHttpOptions {
  const resolved: ResolvedHttpOptions = {
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 8400,
    tokens: options.tokens ?? [],
    tls: options.tls ?? null,
    connectionsMax: options.connectionsMax ?? 1000,
    stuckAfterMs: options.stuckAfterMs ?? 5 * MINUTE_MS,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    silentAfterMs: options.silentAfterMs ?? MINUTE_MS,
  };
  checkTokens(resolved.tokens);
  const { host, tokens, tls } = resolved;
  if (!isLoopback(host)) {
    if (tokens.length === 0) {
      throw new TidingsError('CONFIG_INVALID', `the relay would be open to everybody who can reach ${host}`, {
        hint: 'Configure at least one token under http.tokens, or bind to 127.0.0.1.',
        details: { field: 'http.tokens', host },
      });
    }
    if (tls === null) {
      log.warn({ host }, 'tokens and changes travel unencrypted: configure http.tls, or a proxy that has it');
    }
  }
  return resolved;
}

/** Whether only this machine can connect to the interface. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

function checkTokens(tokens: readonly TokenOptions[]): void {
  const seen = new Set<string>();
  tokens.forEach(({ token, role }, index) => {
    const field = `http.tokens[${index}]`;
    // The token itself stays out of the messages (I10).
    const refuse = (what: string, hint: string): never => {
      throw new TidingsError('CONFIG_INVALID', `${field} ${what}`, { hint, details: { field } });
    };
    if (!/^[\x21-\x7e]+$/.test(token)) {
      refuse('is empty or has characters that no header can carry', 'Use letters, digits and punctuation of ASCII.');
    }
    if (!ROLES.includes(role)) refuse(`has the role "${role}"`, `The roles are ${ROLES.join(', ')}.`);
    if (seen.has(token)) refuse('repeats a token', 'Give each bearer a token of its own.');
    seen.add(token);
  });
}
