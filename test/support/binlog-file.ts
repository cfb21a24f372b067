import { crc32 } from 'node:zlib';
import {
  EVENT_CHECKSUM_LENGTH,
  EVENT_HEADER_LENGTH,
  type EventHeader,
  decodeEventHeader,
} from '../../src/sources/mysql/binlog/event-header.ts';
import { EVENT } from '../../src/sources/mysql/binlog/event-types.ts';
import {
  type FormatDescriptionEvent,
  decodeFormatDescriptionEvent,
} from '../../src/sources/mysql/binlog/format-description-event.ts';

/** One event of a binlog file. */
export interface FileEvent {
  readonly header: EventHeader;
  /** Of the event in the file. */
  readonly offset: number;
  /** Between header and checksum; of a FORMAT_DESCRIPTION everything behind the header. */
  readonly body: Buffer;
  /** What describes it: the file's FORMAT_DESCRIPTION. */
  readonly format: FormatDescriptionEvent;
}

const MAGIC = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);

/** The events of a whole binlog file: four magic bytes, then one event behind the other. Throws when a checksum is wrong. */
export function binlogFileEvents(file: Buffer): FileEvent[] {
  if (!file.subarray(0, 4).equals(MAGIC)) throw new Error('not a binlog file');
  const events: FileEvent[] = [];
  let format: FormatDescriptionEvent | null = null;
  for (let offset = MAGIC.length; offset < file.length;) {
    const header = decodeEventHeader(file.subarray(offset));
    const event = file.subarray(offset, offset + header.length);
    if (event.length < header.length) throw new Error(`the event at ${offset} is cut`);
    if (header.type === EVENT.FORMAT_DESCRIPTION) {
      format = decodeFormatDescriptionEvent(event.subarray(EVENT_HEADER_LENGTH));
    }
    if (format === null) throw new Error('the file does not begin with a FORMAT_DESCRIPTION');
    const checked = format.checksum === 'crc32';
    if (checked) verifyChecksum(event, offset);
    const cut = checked && header.type !== EVENT.FORMAT_DESCRIPTION ? EVENT_CHECKSUM_LENGTH : 0;
    events.push({ header, offset, body: event.subarray(EVENT_HEADER_LENGTH, event.length - cut), format });
    offset += header.length;
  }
  return events;
}

function verifyChecksum(event: Buffer, offset: number): void {
  const end = event.length - EVENT_CHECKSUM_LENGTH;
  const data = Buffer.from(event.subarray(0, end));
  // The server computes it before it marks the file as in use, and clears the mark in place.
  if (data[4] === EVENT.FORMAT_DESCRIPTION) data.writeUInt16LE(data.readUInt16LE(17) & ~1, 17);
  if (crc32(data) !== event.readUInt32LE(end)) throw new Error(`the checksum of the event at ${offset} is wrong`);
}
