/**
 * The layout of a batch: what the relay log's segments are made of, and what its binary responses carry. All numbers are
 * little-endian. docs/formats/relay-log.md is the page; change them together, and never without a new version.
 *
 *     batch   := header position shapes body
 *     header     the fixed fields below
 *     position   UTF-8: where the source resumes once this batch is durable
 *     shapes     8 bytes each: fingerprints of the row shapes that the body's runs refer to by index
 *     body       entries, one after the other; compressed as a whole when the flags say so
 */
export const BATCH_VERSION = 1;

/** `TDGB`, as a little-endian number. */
export const BATCH_MAGIC = 0x4247_4454;

/** Offsets of the header's fields. */
export const HEADER = {
  magic: 0, // u32
  version: 4, // u8
  flags: 5, // u8, see FLAG
  bodyStart: 6, // u16: bytes before the body
  length: 8, // u32: the whole batch
  crc: 12, // u32: CRC-32C of all other bytes of the batch, those before the field first
  firstScn: 16, // u64: of the first entry that has one; the next one to be given, when none has
  count: 24, // u32: SCNs that the batch covers. The next batch of the log begins at firstScn + count
  transactions: 28, // u32: how many transactions end in this batch
  firstCommitUs: 32, // i64: commit time of the first transaction in it, µs since 1970 UTC; 0 without transactions
  maxCommitUs: 40, // i64: the latest commit time in it
  bodyBytes: 48, // u32: of the body before compression
  positionBytes: 52, // u16
  shapeCount: 54, // u16
  sourceBytes: 56, // u32: bytes of the source's log that the batch covers
  unsynced: 60, // u32: bytes of the segment before this batch that were not known to be durable when it was written; 0 on the wire's own batches
} as const;

export const HEADER_BYTES = 64;

export const FLAG = {
  /** The batch goes on with the transaction that the batch before it left open. */
  continues: 1,
  /** Its last transaction goes on in the next batch. */
  open: 2,
  /** The body is compressed with zstd. */
  zstd: 4,
  /**
   * Rows were left out or taken apart on the way to one reader. SCNs are those of the stored rows; never set in a segment. Such a
   * batch has no checksum: `crc` is 0 and not looked at.
   */
  filtered: 8,
  /** There are transactions in it that not everyone gets: it cannot go out as it is. May be set though there are none. */
  addressed: 16,
} as const;

/** The first byte of each entry of the body. */
export const ENTRY = {
  /**
   *     u8 1; u8 flags, bit 0: it began in an earlier batch, bit 1: the id is the name of those who get it; u16 id bytes; u32 server id;
   *     i64 commit time µs; id UTF-8 (a GTID; none: 0 bytes)
   *
   * The entries behind it are its. It ends where the next one begins, or with the batch, unless FLAG.open is set.
   */
  transaction: 1,
  /**
   *     u8 2; u8 op, see ROW_OP; u16 shape index; u32 SCN offset from firstScn; u32 row count; u32 bytes of the rows;
   *     u32 statement bytes; statement UTF-8; rows, each as row-target.ts says
   *
   * The rows of a run have consecutive SCNs.
   */
  rows: 2,
  /** u8 3; u8 flags, bit 0: `table` is there; u16 database bytes; u32 SCN offset; u16 table bytes; u16 0; u32 sql bytes; the three texts */
  schema: 3,
  /** As `schema`. */
  truncate: 4,
  /** u8 5; u8 0; u16 0; u32 bytes; the JSON text of a row shape. Stands before the first run that uses it in a segment. No SCN. */
  shape: 5,
} as const;

/** Of a transaction entry. */
export const TRANSACTION_FLAG = { continued: 1, addressed: 2 } as const;

/**
 * As the `statement bytes` of a run: there is no statement text, it is that of the rows entry before it. Only in filtered batches, where
 * one stored run may have become thousands; each with its statement would be many times what is stored.
 */
export const SAME_STATEMENT = 0xffff_ffff;

export const TRANSACTION_BYTES = 16;
export const RUN_BYTES = 20;
export const STATEMENT_ENTRY_BYTES = 16;
export const SHAPE_ENTRY_BYTES = 8;

/** The second byte of a rows entry: the kind of change in its low two bits, then flags. */
export const ROW_OP = {
  kindMask: 3,
  insert: 0,
  update: 1,
  delete: 2,
  upsert: 3,
  /** Rows of a snapshot. */
  snapshot: 4,
  /** Halves of updates that moved the key: the delete of the old key, the insert of the new one. Only in filtered batches. */
  movedFrom: 8,
  movedTo: 16,
} as const;

/**
 * A control frame stands between batches on the wire, never in a log: magic `TDGC`, u8 version, u8 kind, u16 0, u32 length of the whole
 * frame, JSON text. A reader passes over kinds that it does not know.
 */
export const CONTROL_MAGIC = 0x4347_4454;
export const CONTROL_BYTES = 12;

export const CONTROL = {
  /** First of every response: `{"stream","created","partitions","first","last"}` (SCNs; null when the log is empty). */
  hello: 1,
  /** `{"shapes":[text, …]}`: row shapes that the batches behind it refer to and that they do not define themselves. */
  shapes: 2,
  /** `{"scn","time"}`: everything up to this SCN has been sent, or did not pass the filter. Also the heartbeat of an idle stream. */
  progress: 3,
  /** To a group's member: `{"epoch","partitions":[…],"revoking":[…]}`. */
  assignment: 4,
  /** To a group's member: the batches behind it are of these partitions: `{"partitions":[…]}`. */
  lane: 5,
  /** The response ends: `{"code","message","hint"}`. */
  error: 6,
} as const;
