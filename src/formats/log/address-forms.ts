/**
 * One form for each value of the types whose texts the server takes in several forms; null: it is no such value. Columns have one of these
 * texts, conditions any.
 */
export type Canonical = (text: string) => string | null;

/** 32 hexadecimal digits. The server takes them in either case, with its hyphens or without. */
export function canonicalUuid(text: string): string | null {
  const digits = text.replaceAll('-', '').toLowerCase();
  return /^[0-9a-f]{32}$/.test(digits) ? digits : null;
}

/** Four numbers. */
export function canonicalInet4(text: string): string | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = parts?.slice(1).map(Number);
  return bytes?.every((byte) => byte <= 255) === true ? bytes.join('.') : null;
}

const GROUPS = 8;

/** Eight groups of hexadecimal digits: `::` is written out, and a tail as of IPv4 is two groups (RFC 4291, 2.2). */
export function canonicalInet6(text: string): string | null {
  const hexadecimal = withoutTail(text);
  if (hexadecimal === null) return null;
  const [left, right, more] = hexadecimal.split('::').map(groupsOf);
  if (left === undefined || left === null || right === null || more !== undefined) return null;
  if (right === undefined) return left.length === GROUPS ? left.join(':') : null;
  const missing = GROUPS - left.length - right.length;
  return missing < 1 ? null : [...left, ...Array<string>(missing).fill('0'), ...right].join(':');
}

function withoutTail(text: string): string | null {
  const at = text.lastIndexOf(':') + 1;
  if (!text.includes('.', at)) return text;
  const tail = canonicalInet4(text.slice(at));
  if (tail === null) return null;
  const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number);
  return `${text.slice(0, at)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function groupsOf(text: string): string[] | null {
  if (text === '') return [];
  const groups = text.split(':');
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return groups.map((group) => Number.parseInt(group, 16).toString(16));
}
