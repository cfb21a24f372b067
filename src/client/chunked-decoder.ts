import { TidingsError } from '../core/errors.ts';

/**
 * Takes the chunks of an HTTP/1.1 body apart (RFC 9112, section 7.1).
 *
 *     chunked-body = *( size [ ";" extensions ] CRLF data CRLF ) "0" [ extensions ] CRLF *( trailer CRLF ) CRLF
 */
export class ChunkedDecoder {
  /** The body has come to its end. */
  done = false;
  #state: 'size' | 'extension' | 'data' | 'behind-data' | 'trailer' = 'size';
  /** Of the chunk: what its size line says so far, or the bytes that are still to come. */
  #left = 0;
  /** Characters of the line at hand. */
  #line = 0;
  /** Nothing stands in the line: an empty trailer ends the body, an empty size is none. */
  #isEmpty = true;

  /** @throws TidingsError PROTOCOL_VIOLATION */
  decode(bytes: Uint8Array, pass: (bytes: Uint8Array) => void): void {
    let at = 0;
    while (at < bytes.length && !this.done) {
      if (this.#state === 'data') {
        const end = Math.min(bytes.length, at + this.#left);
        pass(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#state = 'behind-data';
      } else this.#character(bytes[at++] as number);
    }
  }

  #character(code: number): void {
    if (++this.#line > LINE_MAX) throw malformed();
    switch (this.#state) {
      case 'size':
        if (code === LF) this.#sizeIsKnown();
        else if (code === SEMICOLON) this.#state = 'extension';
        else if (code !== CR && code !== SPACE && code !== TAB) {
          this.#left = this.#left * 16 + hexDigit(code);
          this.#isEmpty = false;
        }
        break;
      case 'extension':
        if (code === LF) this.#sizeIsKnown();
        break;
      case 'behind-data':
        if (code === LF) this.#next('size');
        else if (code !== CR) throw malformed();
        break;
      case 'trailer':
        if (code === LF) {
          this.done = this.#isEmpty;
          this.#next('trailer');
        } else if (code !== CR) this.#isEmpty = false;
        break;
      case 'data':
        break;
    }
  }

  #sizeIsKnown(): void {
    if (this.#isEmpty || !Number.isSafeInteger(this.#left)) throw malformed();
    this.#next(this.#left === 0 ? 'trailer' : 'data');
  }

  #next(state: 'size' | 'data' | 'trailer'): void {
    this.#state = state;
    this.#line = 0;
    this.#isEmpty = true;
    if (state === 'size') this.#left = 0;
  }
}

const LINE_MAX = 8192;
const CR = 13;
const LF = 10;
const TAB = 9;
const SPACE = 32;
const SEMICOLON = 59;

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  if (letter >= 97 && letter <= 102) return letter - 87;
  throw malformed();
}

function malformed(): TidingsError {
  return new TidingsError('PROTOCOL_VIOLATION', 'the answer to a reading is no HTTP: its chunks cannot be told apart', {
    hint: 'Check that the address is that of a relay, and that nothing between changes what it sends; Tidings connects again.',
  });
}
