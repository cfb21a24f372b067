import type { StartAt } from './consumer.ts';

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/i;

/** `earliest`, `latest`, an SCN, or a time with its zone. Null for any other text. */
export function parseStartAt(text: string): StartAt | null {
  if (text === 'earliest' || text === 'latest') return text;
  if (/^\d{1,16}$/.test(text)) {
    const scn = Number(text);
    if (Number.isSafeInteger(scn)) return scn;
  }
  // A `+` that came as a space, because nobody encoded it, is understood.
  const iso = text.replace(/ (?=\d\d:\d\d$)/, '+');
  if (!ISO_TIME.test(iso) || !isDay(iso)) return null;
  // Digits behind the milliseconds would be rounded by some engines and are cut off: earlier only repeats (I4).
  const time = new Date(iso.replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(time.getTime()) ? null : time;
}

/** Whether a text that begins with a date (`2026-02-28…`) begins with a day that exists: the language takes the 30th of February for the 2nd of March. */
export function isDay(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(text) ?? [];
  return new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
}
