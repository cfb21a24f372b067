import { FLAVOURS, type ServerFlavour } from './flavour.ts';

/**
 * - `missing`: this machine has no such server and cannot get one. Tests are skipped, but fail when `CI=true`.
 * - `not-owned`: the user named a running server, and the test wants to restart, kill or configure it. Tests are skipped.
 */
export type UnavailableKind = 'missing' | 'not-owned';

/** A server that cannot be had, with the reason and what to do about it. Anything else that goes wrong is an ordinary error. */
export class ServerUnavailableError extends Error {
  override readonly name: string = 'ServerUnavailableError';
  readonly flavour: ServerFlavour;
  readonly kind: UnavailableKind;

  constructor(flavour: ServerFlavour, kind: UnavailableKind, reason: string) {
    super(`${FLAVOURS[flavour].label} is not available: ${reason}`);
    this.flavour = flavour;
    this.kind = kind;
  }
}

export function serverMissing(flavour: ServerFlavour, reason: string): ServerUnavailableError {
  const { label, urlVariable } = FLAVOURS[flavour];
  return new ServerUnavailableError(
    flavour,
    'missing',
    `${reason}. Install ${label}, or name a running one in ${urlVariable} (mysql://root@127.0.0.1:3306).`,
  );
}

export function serverNotOwned(flavour: ServerFlavour, wanted: string): ServerUnavailableError {
  return new ServerUnavailableError(
    flavour,
    'not-owned',
    `${wanted} is not possible with the server that ${FLAVOURS[flavour].urlVariable} names`,
  );
}
