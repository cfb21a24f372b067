/** A place in a configuration: keys of maps and indexes of lists, from the top. */
export type ConfigPath = readonly (string | number)[];

/** One thing that is wrong in a configuration file. Never holds a secret's value (I10). */
export interface ConfigMistake {
  /** Empty where the file as a whole is meant, or cannot be read so far that it has paths. */
  readonly path: ConfigPath;
  readonly message: string;
  /** Counted from 1; null where the file gives none. */
  readonly line: number | null;
  readonly column: number | null;
}

/** `streams.shop.source.tables[0]`; keys that are no plain words stand in brackets and quotes. */
export function pathText(path: ConfigPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[\w-]+$/.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** One line: `tidings.yaml:7:5: http.port: …`. */
export function mistakeText(file: string, { path, message, line, column }: ConfigMistake): string {
  const place = line === null ? file : `${file}:${line}${column === null ? '' : `:${column}`}`;
  return path.length === 0 ? `${place}: ${message}` : `${place}: ${pathText(path)}: ${message}`;
}

/** The same for the same place. */
export function pathKey(path: ConfigPath): string {
  return JSON.stringify(path);
}

/** What stands at a place, of what was parsed; undefined where nothing does. */
export function valueAt(tree: unknown, path: ConfigPath): unknown {
  let value = tree;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return value;
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
