/**
 * The commands that turn a connection into a replication stream.
 *
 * Source: MySQL, "Client/Server Protocol", COM_REGISTER_SLAVE, COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID;
 * MariaDB Knowledge Base, "Replication Protocol".
 */
const COM_BINLOG_DUMP = 0x12;
const COM_REGISTER_SLAVE = 0x15;
const COM_BINLOG_DUMP_GTID = 0x1e;

/** End at the binlog's end instead of waiting for more. */
const BINLOG_DUMP_NON_BLOCK = 0x01;
/** MySQL: the position is given by the GTID set, not by file and offset. */
const BINLOG_THROUGH_GTID = 0x0004;
/** MariaDB: send ANNOTATE_ROWS events. */
const BINLOG_SEND_ANNOTATE_ROWS = 0x02;

/** Wraps a command into packets; a payload of 2^24 - 1 bytes and more (a huge GTID set) goes on in the next one. */
function packets(payload: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let from = 0, sequence = 0; ; sequence++) {
    const length = Math.min(payload.length - from, 0xffffff);
    const head = Buffer.alloc(4);
    head.writeUIntLE(length, 0, 3);
    head.writeUInt8(sequence & 0xff, 3);
    parts.push(head, payload.subarray(from, from + length));
    from += length;
    if (length < 0xffffff) return Buffer.concat(parts);
  }
}

/**
 * COM_REGISTER_SLAVE: lists us in SHOW REPLICAS.
 *
 *     command u8, server id u32, host u8+text, user u8+text, password u8+text, port u16, rank u32, master id u32
 */
export function registerReplicaCommand(serverId: number): Buffer {
  const host = Buffer.from('tidings');
  const payload = Buffer.alloc(1 + 4 + 1 + host.length + 1 + 1 + 2 + 4 + 4);
  payload.writeUInt8(COM_REGISTER_SLAVE, 0);
  payload.writeUInt32LE(serverId, 1);
  payload.writeUInt8(host.length, 5);
  host.copy(payload, 6);
  return packets(payload);
}

/**
 * COM_BINLOG_DUMP.
 *
 *     command u8, offset u32, flags u16, server id u32, file name rest
 */
export function binlogDumpCommand({
  file,
  offset,
  serverId,
  annotate,
  endsWithLog,
}: {
  file: string;
  offset: number;
  serverId: number;
  annotate: boolean;
  endsWithLog: boolean;
}): Buffer {
  const name = Buffer.from(file);
  const payload = Buffer.alloc(11 + name.length);
  payload.writeUInt8(COM_BINLOG_DUMP, 0);
  payload.writeUInt32LE(offset, 1);
  payload.writeUInt16LE((annotate ? BINLOG_SEND_ANNOTATE_ROWS : 0) | (endsWithLog ? BINLOG_DUMP_NON_BLOCK : 0), 5);
  payload.writeUInt32LE(serverId, 7);
  name.copy(payload, 11);
  return packets(payload);
}

/**
 * COM_BINLOG_DUMP_GTID, MySQL: everything that is not in `gtidSet`.
 *
 *     command u8, flags u16, server id u32, name length u32, name, offset u64, set length u32, set
 */
export function binlogDumpGtidCommand({ gtidSet, serverId }: { gtidSet: Buffer; serverId: number }): Buffer {
  const payload = Buffer.alloc(1 + 2 + 4 + 4 + 8 + 4 + gtidSet.length);
  payload.writeUInt8(COM_BINLOG_DUMP_GTID, 0);
  payload.writeUInt16LE(BINLOG_THROUGH_GTID, 1);
  payload.writeUInt32LE(serverId, 3);
  payload.writeUInt32LE(0, 7);
  payload.writeBigUInt64LE(4n, 11);
  payload.writeUInt32LE(gtidSet.length, 19);
  gtidSet.copy(payload, 23);
  return packets(payload);
}
