// What has to be escaped: the JSON specials, lone surrogates, and DEL with the C1 controls. JSON does not ask for the last two, but
// a terminal obeys them, and a line of ours may be printed to one. Pairs of surrogates take the slow path too; it leaves them alone.
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const NEEDS_ESCAPE = /["\\\u0000-\u001f\u007f-\u009f\ud800-\udfff]/;
const TERMINAL_CONTROLS = /[\u007f-\u009f]/g;

/** A JSON string literal of pure data: no control character and no lone surrogate is left in it. */
export function jsonString(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return '"' + text + '"';
  return escapeTerminalControls(JSON.stringify(text));
}

/** DEL and C1 controls as `\u0080` escapes. Only right inside JSON string literals, the one place where JSON text can have them. */
export function escapeTerminalControls(json: string): string {
  return json.replace(TERMINAL_CONTROLS, (control) => '\\u' + control.charCodeAt(0).toString(16).padStart(4, '0'));
}

const LINE_BREAKS = /[\r\n]/g;

/** A JSON document's own text, fit for one line. Raw line breaks can only be white space between its tokens. */
export function embeddedJson(text: string): string {
  return text.replace(LINE_BREAKS, ' ');
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Exact, and with its sign: the server tells -0 from 0. Undefined for NaN and infinities, which JSON cannot write. */
export function jsonNumber(value: number): string | undefined {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  return Number.isFinite(value) ? '' + value : undefined;
}

const FLOAT32_MIN_NORMAL = 2 ** -126;

/**
 * The shortest decimal that reads back as the same float32.
 * Six digits always survive the way through a normal float32, nine always tell two of them apart.
 */
export function float32Text(value: number): string | undefined {
  if (!Number.isFinite(value) || value === 0) return jsonNumber(value);
  for (let digits = Math.abs(value) < FLOAT32_MIN_NORMAL ? 1 : 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return '' + candidate;
  }
  return '' + Number(value.toPrecision(9));
}

/** `[1,0.25]`; undefined when an element is not a finite number. */
export function vectorText(vector: Float32Array): string | undefined {
  let text = '';
  for (const element of vector) {
    const number = float32Text(element);
    if (number === undefined) return undefined;
    text += text === '' ? number : ',' + number;
  }
  return '[' + text + ']';
}

let lastSecond = 0;
let lastPrefix = '1970-01-01T00:00:00.';

/** `2026-11-20T09:15:02.123456Z` from µs since 1970. The last second's text is kept: it serves thousands of transactions. */
export function isoMicroseconds(timeUs: number): string {
  const second = Math.floor(timeUs / 1_000_000);
  if (second !== lastSecond) {
    lastPrefix = new Date(second * 1000).toISOString().slice(0, 20);
    lastSecond = second;
  }
  return lastPrefix + String(timeUs - second * 1_000_000).padStart(6, '0') + 'Z';
}
