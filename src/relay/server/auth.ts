import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { TidingsError } from '../../core/errors.ts';
import { ROLES, type Role, type TokenOptions } from './http-options.ts';

/** Who sent a request. */
export interface Bearer {
  readonly name: string;
  readonly role: Role;
}

const EVERYBODY: Bearer = { name: 'anybody', role: 'admin' };

/** Knows the tokens by their digests only, and compares them in constant time. */
export class Authenticator {
  readonly #secret: Buffer = randomBytes(32);
  readonly #known: readonly (Bearer & { readonly digest: Buffer })[];

  constructor(tokens: readonly TokenOptions[]) {
    this.#known = tokens.map(({ token, role, name }) => ({ name: name ?? role, role, digest: this.#digest(token) }));
  }

  get isOpen(): boolean {
    return this.#known.length === 0;
  }

  /**
   * @param authorization the request's header of that name
   * @throws TidingsError UNAUTHORIZED, FORBIDDEN
   */
  authorize(authorization: string | undefined, needed: Role): Bearer {
    if (this.isOpen) return EVERYBODY;
    const bearer = this.#bearerOf(authorization);
    if (bearer === null) {
      throw new TidingsError(
        'UNAUTHORIZED',
        authorization === undefined ? 'this request needs a token' : 'the token of this request is not known',
      );
    }
    if (ROLES.indexOf(bearer.role) < ROLES.indexOf(needed)) {
      throw new TidingsError('FORBIDDEN', `this request needs the role ${needed}, the token has ${bearer.role}`, {
        details: { needed, role: bearer.role },
      });
    }
    return bearer;
  }

  #bearerOf(authorization: string | undefined): Bearer | null {
    const token = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return null;
    const digest = this.#digest(token);
    let found: Bearer | null = null;
    // All of them, also behind a hit: how long it takes says nothing about which token was near.
    for (const known of this.#known) if (timingSafeEqual(known.digest, digest)) found = known;
    return found;
  }

  #digest(token: string): Buffer {
    return createHmac('sha256', this.#secret).update(token).digest();
  }
}
