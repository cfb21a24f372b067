import { TidingsError } from '../core/errors.ts';
import { BATCH_MAGIC, CONTROL_BYTES, CONTROL_MAGIC, HEADER_BYTES } from '../formats/log/batch-layout.ts';
import type { FrameChunk } from './transport.ts';

export interface FrameAssemblerOptions {
  /** Size of the recycled buffers. A frame that is longer gets a buffer of its own, dropped when it has been read. */
  readonly bufferBytes?: number;
  /** A frame said to be longer is taken for damage. */
  readonly frameBytesMax?: number;
  /** Whole frames that nobody has taken, above which `push` asks for a pause. */
  readonly unreadBytesMax?: number;
}

const BUFFER_BYTES = 512 * 1024;
/** The relay stores no row longer than a JavaScript string, and a batch is little longer than its longest row. */
const FRAME_BYTES_MAX = 2 * 1024 ** 3;
/** Buffers kept for the next bytes: one is being filled, one read, one waits. */
const SPARE_BUFFERS_MAX = 3;

/** A buffer that is being filled, and the pieces of it that somebody reads. */
interface Slab {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Where the frames begin that nobody has taken yet. */
  taken: number;
  /** Behind the last whole frame. */
  whole: number;
  /** Behind the last byte that came. */
  end: number;
  /** Chunks that were taken and not released. */
  readers: number;
}

/**
 * Cuts a stream of bytes into whole frames, batches and control frames alike, without looking inside.
 *
 * Bytes are copied once, into one of a few recycled buffers; a frame that goes on in the next buffer is moved there. What is held
 * is bounded (I7): `unreadBytesMax` of frames not yet taken, and the one frame that is coming in, whose buffer grows with the bytes
 * that have really come and not with what its header promises.
 */
export class FrameAssembler {
  readonly #bufferBytes: number;
  readonly #frameBytesMax: number;
  readonly #unreadBytesMax: number;
  readonly #spare: Slab[] = [];
  /** Full ones with frames that nobody has taken, oldest first. */
  readonly #full: Slab[] = [];
  #slab: Slab;
  #unreadBytes = 0;

  constructor({
    bufferBytes = BUFFER_BYTES,
    frameBytesMax = FRAME_BYTES_MAX,
    unreadBytesMax = bufferBytes,
  }: FrameAssemblerOptions = {}) {
    this.#bufferBytes = bufferBytes;
    this.#frameBytesMax = frameBytesMax;
    this.#unreadBytesMax = unreadBytesMax;
    this.#slab = newSlab(bufferBytes);
  }

  /** False when the sender should pause until frames have been taken. */
  get hasRoom(): boolean {
    return this.#unreadBytes < this.#unreadBytesMax;
  }

  /** Whether `take` has something to give. */
  get ready(): boolean {
    return this.#unreadBytes > 0;
  }

  /** True in the middle of a frame: the stream may not end here. */
  get insideFrame(): boolean {
    return this.#slab.end > this.#slab.whole;
  }

  /** Takes the bytes over: the chunk may be reused when this returns. @throws TidingsError PROTOCOL_VIOLATION */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const slab = this.#slab;
      const count = Math.min(chunk.length - at, slab.bytes.length - slab.end);
      if (count === chunk.length) slab.bytes.set(chunk, slab.end);
      else slab.bytes.set(chunk.subarray(at, at + count), slab.end);
      slab.end += count;
      at += count;
      this.#find(slab);
    }
  }

  /** Everything that is whole in the oldest buffer; null when nothing is. */
  take(): FrameChunk | null {
    const slab = this.#full[0] ?? this.#slab;
    const { taken, whole } = slab;
    if (slab === this.#full[0]) this.#full.shift();
    if (whole === taken) return null;
    this.#unreadBytes -= whole - taken;
    slab.taken = whole;
    slab.readers++;
    let released = false;
    return {
      bytes: slab.bytes,
      start: taken,
      end: whole,
      release: () => {
        if (released) return;
        released = true;
        slab.readers--;
        this.#recycle(slab);
      },
    };
  }

  /** Moves `whole` behind the last frame that has come completely, and on to the next buffer when this one is full. */
  #find(slab: Slab): void {
    const before = slab.whole;
    let missing = 0;
    while (slab.end - slab.whole >= CONTROL_BYTES) {
      const length = this.#frameLength(slab.view, slab.whole);
      if (length > slab.end - slab.whole) {
        missing = length;
        break;
      }
      slab.whole += length;
    }
    this.#unreadBytes += slab.whole - before;
    if (slab.end === slab.bytes.length || slab.whole + missing > slab.bytes.length) this.#turnOver(slab, missing);
  }

  /** @param length of the frame that is coming in; 0 when its beginning is not there yet */
  #turnOver(slab: Slab, length: number): void {
    const rest = slab.end - slab.whole;
    if (length > this.#bufferBytes && slab.whole === 0 && slab.end < slab.bytes.length) return;
    // A long frame's buffer doubles as the frame comes: a length that is a lie does not cost the memory that it names.
    const size = Math.max(this.#bufferBytes, Math.min(length, rest * 2));
    const next = size === this.#bufferBytes ? (this.#spare.pop() ?? newSlab(size)) : newSlab(size);
    next.bytes.set(slab.bytes.subarray(slab.whole, slab.end), 0);
    next.end = rest;
    slab.end = slab.whole;
    this.#slab = next;
    if (slab.whole > slab.taken) this.#full.push(slab);
    else this.#recycle(slab);
  }

  #recycle(slab: Slab): void {
    if (slab === this.#slab || slab.readers > 0 || slab.whole > slab.taken) return;
    if (slab.bytes.length !== this.#bufferBytes || this.#spare.length >= SPARE_BUFFERS_MAX) return;
    slab.taken = 0;
    slab.whole = 0;
    slab.end = 0;
    this.#spare.push(slab);
  }

  #frameLength(view: DataView, at: number): number {
    const magic = view.getUint32(at, true);
    const least = magic === BATCH_MAGIC ? HEADER_BYTES : CONTROL_BYTES;
    if (magic !== BATCH_MAGIC && magic !== CONTROL_MAGIC) {
      throw new TidingsError('PROTOCOL_VIOLATION', 'the answer to a reading holds bytes that are no batch', {
        hint: 'Check that the address is that of a relay, and that nothing between changes what it sends; Tidings connects again.',
      });
    }
    // The length stands at the same place in both.
    const length = view.getUint32(at + 8, true);
    if (length < least || length > this.#frameBytesMax) {
      throw new TidingsError('PROTOCOL_VIOLATION', `the answer to a reading holds a frame of ${length} bytes`, {
        hint: 'Check that nothing between changes what the relay sends; Tidings connects again.',
        details: { length, frameBytesMax: this.#frameBytesMax },
      });
    }
    return length;
  }
}

function newSlab(size: number): Slab {
  const bytes = Buffer.allocUnsafeSlow(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { bytes, view, taken: 0, whole: 0, end: 0, readers: 0 };
}
