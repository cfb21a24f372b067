/**
 * Durations and sizes as people write them: a number and a unit, `500ms`, `1.5h`, `64GiB`. The one place that reads and writes them.
 */

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Units of 1024 have an i; those of 1000 have none. */
const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  KiB: 1024,
  MB: 1000 ** 2,
  MiB: 1024 ** 2,
  GB: 1000 ** 3,
  GiB: 1024 ** 3,
  TB: 1000 ** 4,
  TiB: 1024 ** 4,
};

export const DURATION_PATTERN: string = String.raw`^\d+(\.\d+)?(ms|s|m|h|d|w)$`;
export const SIZE_PATTERN: string = String.raw`^\d+(\.\d+)?(B|kB|KB|KiB|MB|MiB|GB|GiB|TB|TiB)$`;

/** Whole milliseconds; null when the text is no duration. */
export function parseDuration(text: string): number | null {
  return parse(text, DURATIONS);
}

/** Whole bytes; null when the text is no size. */
export function parseSize(text: string): number | null {
  return parse(text, SIZES);
}

/** The shortest exact form: `7d`, `90s`. `parseDuration` reads it back. */
export function formatDuration(ms: number): string {
  return format(ms, ['d', 'h', 'm', 's'], DURATIONS) ?? `${ms}ms`;
}

/** The shortest exact form with units of 1024: `64GiB`. `parseSize` reads it back. */
export function formatSize(bytes: number): string {
  return format(bytes, ['TiB', 'GiB', 'MiB', 'KiB'], SIZES) ?? `${bytes}B`;
}

function parse(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text);
  if (match === null) return null;
  const [, digits = '', name = ''] = match;
  const unit = Object.hasOwn(units, name) ? units[name] : undefined;
  if (unit === undefined) return null;
  const value = Math.round(Number(digits) * unit);
  return Number.isSafeInteger(value) ? value : null;
}

/** In the largest unit that it is a multiple of; null when there is none. */
function format(value: number, names: readonly string[], units: Readonly<Record<string, number>>): string | null {
  if (value === 0) return null;
  for (const name of names) {
    const unit = units[name] ?? 1;
    if (value % unit === 0) return `${value / unit}${name}`;
  }
  return null;
}
