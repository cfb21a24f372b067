// C0 and C1 controls, lone surrogates, and the invisible characters that reorder or hide text. A terminal obeys these: row data
// must never reach it with one.
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu;
const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text with everything escaped that a terminal would act on instead of showing it. */
export function terminalSafe(text: string): string {
  return text.replace(
    UNSAFE,
    (character) => ESCAPES[character] ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const COMBINING = /\p{Mn}|\p{Me}/u;

/** How many columns of a terminal one character takes. */
export function characterWidth(character: string): number {
  if (character <= '\u02ff') return 1;
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** A piece of a line and the colour it has, as SGR parameters; no colour when left out. */
export interface Span {
  readonly text: string;
  readonly color?: string;
}

/**
 * One line of at most `width` columns, with `…` where something was cut off. What is coloured is escaped here, after all of it
 * was made safe, so the only escape sequences in the result are ours.
 */
export function renderLine(spans: readonly Span[], { width, color }: { width: number; color: boolean }): string {
  const safe = spans.map((span) => ({ text: terminalSafe(span.text), color: span.color }));
  const all = safe.reduce((sum, { text }) => sum + prefix(text, width + 2).used, 0);
  // A line that is cut keeps one column for the ellipsis. (Two columns more than there are show that one is, whatever comes there.)
  let left = all <= width ? width : width - 1;
  let line = '';
  for (const span of safe) {
    const { text, used } = prefix(span.text, left);
    left -= used;
    const whole = text.length === span.text.length;
    const shown = whole ? text : `${text}…`;
    line += color && span.color !== undefined && shown !== '' ? `\u001b[${span.color}m${shown}\u001b[0m` : shown;
    if (!whole) break;
  }
  return line;
}

/** As much of a text's beginning as fits into so many columns. */
function prefix(text: string, width: number): { text: string; used: number } {
  let used = 0;
  let length = 0;
  for (const character of text) {
    const next = used + characterWidth(character);
    if (next > width) break;
    used = next;
    length += character.length;
  }
  return { text: text.slice(0, length), used };
}
