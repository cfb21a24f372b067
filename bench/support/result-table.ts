import { spread } from './statistics.ts';

/** What is measured of one thing, and what it shall be. */
export interface Measured {
  readonly aim: string;
  readonly value: number;
  readonly text: (value: number) => string;
}

/** One line for each thing that is measured, with the values of all rounds. */
export class ResultTable {
  readonly #lines = new Map<string, Omit<Measured, 'value'> & { readonly values: number[] }>();

  add(what: string, { aim, value, text }: Measured): void {
    const line = this.#lines.get(what);
    if (line === undefined) this.#lines.set(what, { aim, text, values: [value] });
    else line.values.push(value);
  }

  /** As Markdown. */
  toString(): string {
    const lines = [...this.#lines].map(([what, { aim, values, text }]) => {
      const { median, min, max } = spread(values);
      return `| ${what} | ${text(median)} | ${text(min)}–${text(max)} | ${aim} |\n`;
    });
    return `| what | median | min–max | aim |\n|---|--:|--:|---|\n${lines.join('')}`;
  }
}
