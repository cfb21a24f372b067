import { stripVTControlCharacters } from 'node:util';

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
}

/** Colours by name, as SGR parameters. */
const COLOURS = { bold: '1', dim: '2', red: '31', green: '32', cyan: '36' } as const;

/** Lines, colours where they are wanted, and one line at the bottom that is written over and over. */
export class Screen {
  readonly #out: Terminal;
  readonly #color: boolean;
  #live = false;

  constructor(out: Terminal, env: Readonly<Record<string, string | undefined>>) {
    this.#out = out;
    this.#color = out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  }

  get isTerminal(): boolean {
    return this.#out.isTTY === true;
  }

  paint(color: keyof typeof COLOURS, text: string): string {
    return this.#color ? `\u001b[${COLOURS[color]}m${text}\u001b[0m` : text;
  }

  line(text = ''): void {
    this.endLive();
    this.#out.write(`${text}\n`);
  }

  /** On a terminal it replaces the line that was live before; elsewhere it is a line like any other. */
  live(text: string): void {
    if (!this.isTerminal) {
      this.line(text);
      return;
    }
    const width = this.#out.columns ?? 80;
    const fits = stripVTControlCharacters(text).length < width;
    this.#out.write(`\r\u001b[2K${fits ? text : stripVTControlCharacters(text).slice(0, width - 1)}`);
    this.#live = true;
  }

  endLive(): void {
    if (this.#live) this.#out.write('\n');
    this.#live = false;
  }

  /** Columns as wide as they need to be; the first one to the left, the others to the right. */
  table(rows: readonly (readonly string[])[]): void {
    const widths = (rows[0] ?? []).map((_, i) =>
      Math.max(...rows.map((row) => stripVTControlCharacters(row[i] ?? '').length)),
    );
    for (const row of rows) {
      const cells = row.map((cell, i) => {
        const pad = ' '.repeat((widths[i] ?? 0) - stripVTControlCharacters(cell).length);
        return i === 0 ? `${cell}${pad}` : `${pad}${cell}`;
      });
      this.line(`  ${cells.join('   ')}`);
    }
  }
}

export function milliseconds(value: number): string {
  return value >= 1000 ? seconds(value) : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function number(value: number): string {
  return value.toLocaleString('en-US');
}
