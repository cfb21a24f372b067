/**
 * A name in lower case as the servers fold it: equal results mean the same column, accents and all. Character by character, none
 * of them becoming two (`İ` is `i`), and `ẞ` is no capital of `ß`. Tested on both servers; `my_tolower_utf8mb3` in both.
 */
export function foldName(name: string): string {
  if (/^[\u0000-\u007f]*$/.test(name)) return name.toLowerCase();
  return Array.from(name, (char) => (char === 'ẞ' ? char : (Array.from(char.toLowerCase())[0] ?? char))).join('');
}
