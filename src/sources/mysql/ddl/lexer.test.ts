import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LexerOptions, type Token, tokenize } from './lexer.ts';

const MYSQL: LexerOptions = { flavour: 'mysql', serverVersion: 80_400, ansiQuotes: false, noBackslashEscapes: false };
const MARIADB: LexerOptions = { ...MYSQL, flavour: 'mariadb', serverVersion: 101_118 };

function kinds(sql: string, options: LexerOptions = MYSQL): string[] {
  return tokenize(sql, options).map(({ kind, text }: Token) => (kind === 'end' ? 'end' : `${kind}:${text}`));
}

describe('literals', () => {
  test.each([
    [`'it''s'`, "string:it's"],
    [`"say ""hi"""`, 'string:say "hi"'],
    [String.raw`'a\'b\"c\\d\n\t\0\Z\x'`, 'string:a\'b"c\\d\n\t\0\u001ax'],
    [String.raw`'\%\_'`, String.raw`string:\%\_`],
    ["x'4aF'", 'hex:4aF'],
    ['0x4A', 'hex:4A'],
    ["b'101'", 'bits:101'],
    ['0b11', 'bits:11'],
    ['1.5e-3', 'number:1.5e-3'],
    ['.5', 'number:.5'],
    ['12', 'number:12'],
    ['1e5', 'number:1e5'],
    ['1st', 'word:1st'],
    ['0xzz', 'word:0xzz'],
    ['größe_$1', 'word:größe_$1'],
    ['`a``b c`', 'identifier:a`b c'],
  ])('%s is one token', (sql, expected) => {
    expect(kinds(sql)).toEqual([expected, 'end']);
  });

  test('with NO_BACKSLASH_ESCAPES a backslash is a character', () => {
    expect(kinds(String.raw`'a\' 'b'`, { ...MYSQL, noBackslashEscapes: true })).toEqual([
      'string:a\\',
      'string:b',
      'end',
    ]);
  });

  test('with ANSI_QUOTES double quotes make an identifier, in which a backslash is a character', () => {
    expect(kinds(String.raw`"a\" 'b'`, { ...MYSQL, ansiQuotes: true })).toEqual(['identifier:a\\', 'string:b', 'end']);
  });

  test('behind a point even digits are a name', () => {
    expect(kinds('d.1')).toEqual(['word:d', 'punctuation:.', 'word:1', 'end']);
  });
});

describe('comments', () => {
  test.each([
    ['a /* b */ c', 'a c'],
    ['a -- b\nc', 'a c'],
    ['a # b\nc', 'a c'],
    ['a --', 'a'],
    ['a /*+ SET_VAR(sql_mode=0) */ c', 'a c'],
    ['a /* it\'s ` " */ c', 'a c'],
    ['a /*! b */ c', 'a b c'],
    ['a /*!50100 b */ c', 'a b c'],
    ['a /*!080400 b */ c', 'a b c'],
    ['a /*!90000 b */ c', 'a c'],
    ['a /*!99999 b /* inner */ d */ c', 'a c'],
    ['a /*!50100 b /* inner */ d */ c', 'a b d c'],
    ['a /*M! b */ c', 'a c'],
    ['a--b', 'a - - b'],
    ['a - -1', 'a - - 1'],
  ])('MySQL 8.4 reads %s', (sql, expected) => {
    expect(
      tokenize(sql, MYSQL)
        .map((token) => token.text)
        .join(' ')
        .trim(),
    ).toBe(expected);
  });

  test.each([
    ['a /*!50100 b */ c', 'a b c'],
    ['a /*!50701 b */ c', 'a c'],
    ['a /*!80023 b */ c', 'a c'],
    ['a /*!100300 b */ c', 'a b c'],
    ['a /*M!100300 b */ c', 'a b c'],
    ['a /*M! b */ c', 'a b c'],
    ['a /*M!110000 b */ c', 'a c'],
  ])('MariaDB 10.11 reads %s', (sql, expected) => {
    expect(
      tokenize(sql, MARIADB)
        .map((token) => token.text)
        .join(' ')
        .trim(),
    ).toBe(expected);
  });
});

describe('what is no token', () => {
  test.each(["'open", '"open', '`open', 'a /* open', '/*! open', '/*!99999 open', "'a\\'"])(
    '%s ends in an error',
    (sql) => {
      expect(tokenize(sql, MYSQL).map((token) => token.kind)).toContain('error');
    },
  );

  test('any text becomes tokens, none lost between the last word and the end', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        "'",
        '"',
        '`',
        '/*',
        '*/',
        '/*!',
        '/*!50000',
        '/*M!',
        '--',
        '-- ',
        '#',
        '\\',
        '.',
        '1e',
        '0x',
        "x'",
        "b'",
        '\n',
        'é',
        '😀',
      ),
    );
    const options = fc.record({
      flavour: fc.constantFrom('mysql' as const, 'mariadb' as const),
      serverVersion: fc.constantFrom(50_744, 90_200, 101_118),
      ansiQuotes: fc.boolean(),
      noBackslashEscapes: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), options, (pieces, lexerOptions) => {
        const tokens = tokenize(pieces.join(''), lexerOptions);
        expect(tokens.at(-1)?.kind).toBe('end');
        expect(tokens.filter((token) => token.kind === 'end')).toHaveLength(1);
      }),
      { numRuns: 2000 },
    );
  });

  test('a hundred thousand quotes or comment marks take no time worth speaking of', () => {
    for (const mark of ["'", "''", '/*', '/*!', '/*!99999 /*', '*/', '\\', '`', '(']) {
      const startMs = performance.now();
      tokenize(mark.repeat(100_000), MYSQL);
      // Each mark looking at all those behind it would take longer by far.
      expect(performance.now() - startMs).toBeLessThan(5000);
    }
  });
});
