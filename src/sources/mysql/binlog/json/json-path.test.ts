import { expect, test } from 'vitest';
import { parseJsonPath } from './json-path.ts';

/** The legs as text: names in quotes, `-n` for the nth before the last element. */
function legsOf(path: string | Buffer): readonly string[] {
  return parseJsonPath(Buffer.from(path)).map((leg) =>
    leg.kind === 'member' ? JSON.stringify(leg.name.toString()) : `${leg.fromEnd ? '-' : ''}${leg.index}`,
  );
}

test('a path is read as the server writes it', () => {
  expect(legsOf('$')).toEqual([]);
  expect(legsOf('$.a[3]."b c"')).toEqual(['"a"', '3', '"b c"']);
  expect(legsOf('$[0][4294967295][last][last-2]')).toEqual(['0', '4294967295', '-0', '-2']);
  expect(legsOf('$.é._x$1."".y')).toEqual(['"é"', '"_x$1"', '""', '"y"']);
});

test('a quoted name may hold anything, with the escapes of a JSON string', () => {
  for (const name of ['"', '\\', 'a"b\\', '.[*]$', ' ', '\n\t\b\f\r', '\0\x1f\x7f', 'é"', '中"\u2028😀', 'last']) {
    expect(legsOf(`$.${JSON.stringify(name)}[1]`)).toEqual([JSON.stringify(name), '1']);
  }
});

test('a name that is not UTF-8 keeps its bytes', () => {
  const path = Buffer.from('$."\xff\\"\xed\xb0\x80"', 'latin1');
  expect(parseJsonPath(path)).toEqual([{ kind: 'member', name: Buffer.from('\xff"\xed\xb0\x80', 'latin1'), }]); // prettier-ignore
});

test('anything else is refused', () => {
  const others = [
    '',
    'a',
    '$a',
    '$.',
    '$..a',
    '$.a.',
    '$."a',
    '$."a\\"',
    '$."\\x"',
    '$."\\u1234"',
    '$[',
    '$[]',
    '$[a]',
    '$[1',
    '$[-1]',
    '$[*]',
  ];
  for (const path of [...others, '$[last-]', '$[1 to 2]', '$**.a', '$.*', '$.a*', '$.a b', '$ .a', '$[99999999999]']) {
    expect(() => legsOf(path)).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }));
  }
});
