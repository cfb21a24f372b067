/**
 * The SQL statement behind rows, as ROWS_QUERY and ANNOTATE_ROWS carry it: bytes until somebody asks for the text, as most
 * consumers never do. The bytes are a view into the read buffer: whoever keeps the statement over the next read calls `settle`.
 */
export class LoggedStatement {
  #bytes: Buffer | null;
  #start: number;
  #end: number;
  #text = '';

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  get text(): string {
    this.settle();
    return this.#text;
  }

  settle(): void {
    if (this.#bytes === null) return;
    // The session's character set is not logged with it: nearly always UTF-8, and anything else is only informative.
    this.#text = this.#bytes.toString('utf8', this.#start, this.#end);
    this.#bytes = null;
  }
}
