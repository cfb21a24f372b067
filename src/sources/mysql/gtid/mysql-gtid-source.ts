/**
 * Who numbers transactions in MySQL: a server's UUID, and from 8.3 on optionally a tag. As text, the way a GTID begins:
 * `3e11fa47-71ca-11e1-9e33-c80aa9429562` or `3e11fa47-71ca-11e1-9e33-c80aa9429562:tag`, in lower case. Sorting these texts sorts as
 * the server does, untagged before tagged.
 */
export type MysqlGtidSource = string;

const UUID_TEXT_LENGTH = 36;

export function gtidSource(uuid: string, tag: string): MysqlGtidSource {
  return tag === '' ? uuid : `${uuid}:${tag}`;
}

export function sourceUuid(source: MysqlGtidSource): string {
  return source.slice(0, UUID_TEXT_LENGTH);
}

/** Empty without a tag. */
export function sourceTag(source: MysqlGtidSource): string {
  return source.slice(UUID_TEXT_LENGTH + 1);
}

/** 16 bytes as the server prints them. The caller has checked that they are there. */
export function uuidText(bytes: Buffer, offset = 0): string {
  const hex = bytes.toString('hex', offset, offset + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

const TAG = /^[a-z_][a-z0-9_]{0,31}$/i;
const UUID = /^\{?([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})\}?$/i;

/** A tag in lower case, or null when it is none: a letter or `_`, then up to 31 letters, digits or `_`. */
export function parseTag(text: string): string | null {
  return TAG.test(text) ? text.toLowerCase() : null;
}

/** A UUID in lower case with dashes, or null. As the server does, it takes braces around it and leaving out the dashes. */
export function parseUuid(text: string): string | null {
  const groups = UUID.exec(text);
  if (groups === null || text.startsWith('{') !== text.endsWith('}')) return null;
  return [groups[1], groups[3], groups[4], groups[5], groups[6]].join('-').toLowerCase();
}
