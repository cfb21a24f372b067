/**
 * CRC-32C (Castagnoli, as in RFC 3720 and the CRC instruction of x86): the checksum of the relay log's batches. It runs over every
 * byte that is written and over every byte that is read for the first time, so it has to be faster than a table can be.
 *
 * A long range is first made short by polynomial division. A CRC is the remainder of the message divided by P; dividing by a multiple
 * of P before that changes nothing. This multiple has six terms, all of them whole bytes apart:
 *
 *     M = x^(8·209) + x^(8·144) + x^(8·54) + x^(8·39) + x^(8·14) + 1
 *
 * so that long division needs no tables: each quotient byte is the message's byte, xor the quotient bytes 65, 155, 170, 195 and 209
 * before it. As none of them is nearer than 65, four times 16 bytes are done in one step of a WebAssembly loop of 128-bit loads and
 * xors. What is left are the last 209 bytes or some more, and they go through tables, eight bytes a step.
 *
 * (All multiples of P of a low degree were searched: with four terms the shortest has degree 8·5275, with six 8·209. The exponents of a
 * multiple may be multiplied by 8, since squaring is linear over GF(2). The test checks M and the sum against the definition.)
 */
const POLYNOMIAL = 0x82f6_3b78;

/** How far back the quotient bytes stand. Exported for the test. */
export const CRC32C_DISTANCES: readonly number[] = [65, 155, 170, 195, 209];
const REACH = 209;
/** Bytes of one step of the loop; less than the shortest distance. */
const STEP = 64;
/** Where in the module's memory the message lies; the last quotient bytes before it stand in front. */
const DATA = 256;
/** How much of a message is copied in at once: it stays in the processor's first cache. */
const PIECE_BYTES = 32 * 1024;
/** Below this the copying and the call cost more than they save. */
const FOLD_FROM_BYTES = 2048;

const TABLES: Int32Array = makeTables();
const FOLDER = makeFolder();

/**
 * The checksum of bytes `start` to `end`, unsigned.
 *
 * @param before the checksum of what comes before them, if it is to go on
 */
// Called for every batch: an options object would be one more thing to collect.
// oxlint-disable-next-line max-params -- called for every batch, in the manner of crc32
export function crc32c(bytes: Buffer, start: number, end: number, before: number = 0): number {
  if (FOLDER === null || end - start < FOLD_FROM_BYTES) return ~byTables(bytes, start, end, ~before) >>> 0;
  return ~byFolding(FOLDER, bytes, { start, end, register: ~before }) >>> 0;
}

interface Folder {
  readonly memory: Buffer;
  /** Replaces bytes `DATA` to `DATA + length` by the quotient; `length` is a multiple of STEP and not zero. */
  readonly fold: (length: number) => void;
}

interface Message {
  readonly start: number;
  readonly end: number;
  /** What the bytes before have left. */
  readonly register: number;
}

function byFolding({ memory, fold }: Folder, bytes: Buffer, { start, end, register }: Message): number {
  memory.fill(0, DATA - REACH, DATA);
  let at = start;
  let first = true;
  while (end - at >= REACH + STEP) {
    const room = end - at - REACH;
    const length = room >= PIECE_BYTES ? PIECE_BYTES : room - (room % STEP);
    bytes.copy(memory, DATA, at, at + length);
    if (first) {
      // A sum that begins with some register is one that begins with none, of the message xor the register.
      for (let i = 0; i < 4; i++) memory[DATA + i] = (memory[DATA + i] as number) ^ ((register >>> (8 * i)) & 0xff);
      first = false;
    }
    fold(length);
    memory.copyWithin(DATA - REACH, DATA + length - REACH, DATA + length);
    at += length;
  }
  // The rest takes up what the last quotient bytes still subtract, and is the remainder then.
  const rest = end - at;
  bytes.copy(memory, DATA, at, end);
  for (const distance of CRC32C_DISTANCES) {
    for (let i = DATA; i < DATA + distance; i++) {
      const before = i - distance;
      memory[i] = (memory[i] as number) ^ (memory[before] as number);
    }
  }
  return byTables(memory, DATA, DATA + rest, 0);
}

/** Eight bytes a step ("slicing by 8"), with the register as it stands before and after. */
function byTables(bytes: Buffer, start: number, end: number, register: number): number {
  const t = TABLES;
  let c = register;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    c ^=
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    c =
      (t[1792 + (c & 0xff)] as number) ^
      (t[1536 + ((c >>> 8) & 0xff)] as number) ^
      (t[1280 + ((c >>> 16) & 0xff)] as number) ^
      (t[1024 + (c >>> 24)] as number) ^
      (t[768 + (bytes[i + 4] as number)] as number) ^
      (t[512 + (bytes[i + 5] as number)] as number) ^
      (t[256 + (bytes[i + 6] as number)] as number) ^
      (t[bytes[i + 7] as number] as number);
  }
  for (; i < end; i++) c = (t[(c ^ (bytes[i] as number)) & 0xff] as number) ^ (c >>> 8);
  return c;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1;
    tables[n] = c;
  }
  for (let n = 0; n < 256; n++) {
    let c = tables[n] as number;
    for (let slice = 1; slice < 8; slice++) {
      c = (tables[c & 0xff] as number) ^ (c >>> 8);
      tables[slice * 256 + n] = c;
    }
  }
  return tables;
}

/** The part of WebAssembly's JavaScript interface that is used; the compiler's Node types do not declare it. */
interface WebAssemblyHost {
  validate(module: Uint8Array): boolean;
  readonly Module: new (module: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** Null on a processor without 128-bit operations: the tables do it then. */
function makeFolder(): Folder | null {
  const host = (globalThis as { readonly WebAssembly?: WebAssemblyHost }).WebAssembly;
  const code = folderModule();
  if (host === undefined || !host.validate(code)) return null;
  const exports = new host.Instance(new host.Module(code)).exports as {
    readonly memory: { readonly buffer: ArrayBuffer };
    readonly fold: (length: number) => void;
  };
  return { memory: Buffer.from(exports.memory.buffer), fold: exports.fold };
}

/**
 * The module, in WebAssembly's binary format (https://webassembly.github.io/spec/core/binary/):
 *
 *     fold(length):
 *       at = 0
 *       do
 *         for each of the four 16 bytes of the step, at DATA + at:
 *           it ^= the 16 bytes 65 before it ^ … 155 … ^ 170 … ^ 195 … ^ 209 …
 *         at += STEP
 *       while at < length
 */
function folderModule(): Uint8Array {
  const I32 = 0x7f;
  const LENGTH = [0x20, 0]; // local.get of the parameter
  const AT = [0x20, 1];
  const load = (offset: number): number[] => [...AT, 0xfd, 0x00, 0, ...leb128(offset)]; // v128.load, aligned to 1 byte
  const XOR = [0xfd, 0x51]; // v128.xor
  const store = (offset: number): number[] => [0xfd, 0x0b, 0, ...leb128(offset)]; // v128.store
  const vectors: number[] = [];
  for (let offset = DATA; offset < DATA + STEP; offset += 16) {
    const earlier = CRC32C_DISTANCES.flatMap((distance) => [...load(offset - distance), ...XOR]);
    vectors.push(...AT, ...load(offset), ...earlier, ...store(offset));
  }
  const loop = [
    ...[0x03, 0x40], // loop, of no type
    ...vectors,
    ...[...AT, 0x41, ...signedLeb128(STEP), 0x6a, 0x22, 1], // at = at + STEP; it stays on the stack
    ...[...LENGTH, 0x49, 0x0d, 0], // i32.lt_u; br_if the loop's beginning
    0x0b, // end
  ];
  const body = [1, 1, I32, ...loop, 0x0b]; // one group of locals, of one i32: `at`
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, [1, 0x60, 1, I32, 0]), // types: one function, i32 -> nothing
    ...section(3, [1, 0]), // functions: one, of the first type
    ...section(5, [1, 0, 1]), // memories: one, of a page of 64 KiB
    ...section(7, [2, ...exported('memory', 2), ...exported('fold', 0)]),
    ...section(10, [1, ...leb128(body.length), ...body]), // code
  ]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb128(content.length), ...content];
}

function exported(name: string, kind: number): number[] {
  return [name.length, ...Buffer.from(name), kind, 0];
}

/** An unsigned number of up to 14 bits. */
function leb128(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, value >> 7];
}

/** A positive number of up to 13 bits, of which the topmost bit of the encoding says that it is positive. */
function signedLeb128(value: number): number[] {
  return value < 64 ? [value] : [(value & 127) | 128, value >> 7];
}
