import type { MemberName } from '../../client/transport.ts';
import { TidingsError } from '../../core/errors.ts';

export const MEMBERS_PER_GROUP_MAX = 1024;
export const GROUPS_PER_STREAM_MAX = 1000;
/** A group that nobody has used for so long, and that never was at work, gives way to a new one where there are as many as can be. */
export const UNUSED_AFTER_MS: number = 24 * 3_600_000;

const SESSION_TIMEOUT_MS = 10_000;
export const SESSION_TIMEOUT_MIN_MS = 1000;
export const SESSION_TIMEOUT_MAX_MS = 300_000;
const HEARTBEAT_MAX_MS = 3000;

const NAME = /^[A-Za-z0-9._-]{1,128}$/;

/** @throws TidingsError GROUP_INVALID */
export function checkMemberName({ group, member }: MemberName): void {
  checkName('group', group);
  checkName('member', member);
}

/** @throws TidingsError GROUP_INVALID */
export function checkGroupName(group: string): void {
  checkName('group', group);
}

/** @throws TidingsError GROUP_INVALID */
export function checkPartitions(partitions: readonly number[], count: number, field = 'partitions'): void {
  const wrong = partitions.find((partition) => !Number.isInteger(partition) || partition < 0 || partition >= count);
  if (wrong === undefined) return;
  throw new TidingsError('GROUP_INVALID', `there is no partition ${wrong}: the stream has 0 to ${count - 1}`, {
    details: { field },
  });
}

/** @throws TidingsError GROUP_INVALID */
export function sessionTimeoutOf(asked: number | undefined): number {
  if (asked === undefined) return SESSION_TIMEOUT_MS;
  if (asked >= SESSION_TIMEOUT_MIN_MS && asked <= SESSION_TIMEOUT_MAX_MS) return Math.round(asked);
  throw new TidingsError('GROUP_INVALID', `a session timeout of ${asked} ms is not possible`, {
    hint: `Give ${SESSION_TIMEOUT_MIN_MS} to ${SESSION_TIMEOUT_MAX_MS} ms.`,
    details: { field: 'sessionTimeoutMs' },
  });
}

/** So often that three may be lost, and not less often than every 3 s: a member learns with the next one what it must let go. */
export function heartbeatOf(sessionTimeoutMs: number): number {
  return Math.min(HEARTBEAT_MAX_MS, Math.floor(sessionTimeoutMs * 0.3));
}

function checkName(field: 'group' | 'member', name: string): void {
  if (NAME.test(name)) return;
  throw new TidingsError('GROUP_INVALID', `a ${field} cannot have this name`, {
    hint: 'A name has 1 to 128 letters and digits of ASCII, points, hyphens and underscores.',
    details: { field },
  });
}
