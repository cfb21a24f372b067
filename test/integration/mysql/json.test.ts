import { expect, test } from 'vitest';
import { applyJsonDiffs } from '../../../src/sources/mysql/binlog/json/json-diff.ts';
import { seedOfRun } from '../../support/random.ts';
import { describeServer } from '../../support/servers/describe-server.ts';
import { doubleLiteral, randomDouble, randomExpression, randomObject, randomString, Random } from './json-documents.ts';
import { JsonTable, difference, wholeText, type Comparison } from './json-table.ts';

const SOAK = process.env['TIDINGS_SOAK'] === '1' ? 10 : 1;
const TEST_MAX_MS = SOAK * 60_000;
const SEED = seedOfRun('binary JSON');
const DOCUMENTS_PER_STATEMENT = 40;

describeServer(
  'mysql',
  `binary JSON (TIDINGS_SEED=${SEED})`,
  (server) => {
    test('random documents of every kind print exactly as SELECT prints them', async () => {
      const random = new Random(SEED);
      await using table = await JsonTable.create(server(), 'documents');
      const statements = 75 * SOAK;
      for (let done = 0; done < statements; done++) {
        await table.insert(random.list(DOCUMENTS_PER_STATEMENT, () => `JSON_ARRAY(${randomExpression(random, 4)})`));
        await table.insert(random.list(DOCUMENTS_PER_STATEMENT, () => randomObject(random, 3)));
      }
      expect(await table.compare()).toEqual({ compared: statements * DOCUMENTS_PER_STATEMENT * 2, differences: [] });
    });

    test('random doubles print exactly as SELECT prints them', async () => {
      const random = new Random(SEED + 1);
      await using table = await JsonTable.create(server(), 'doubles');
      for (let done = 0; done < 20 * SOAK; done++) {
        const array = (): string =>
          `CAST('[${random.list(50, () => doubleLiteral(randomDouble(random))).join()}]' AS JSON)`;
        await table.insert(random.list(DOCUMENTS_PER_STATEMENT, array));
      }
      expect(await table.compare()).toEqual({ compared: 20 * SOAK * DOCUMENTS_PER_STATEMENT, differences: [] });
    });

    test('scalars at the top, large formats, empty containers, deep nesting and opaque values of every column type', async () => {
      await using table = await JsonTable.create(server(), 'shapes');
      const numbers = Array.from({ length: 40_000 }, (_, index) => index * 1000 - 20_000_000);
      const members = Array.from({ length: 6000 }, (_, index) => [`key ${index} ${'k'.repeat(index % 30)}`, { index }]);
      const scalars = [
        null,
        true,
        false,
        0,
        -1,
        32_767,
        -32_768,
        65_535,
        65_536,
        -32_769,
        2 ** 31,
        2 ** 32,
        -(2 ** 31) - 1,
        1.5,
      ];
      const documents: unknown[] = [
        scalars,
        ...scalars,
        '',
        'é😀',
        [],
        {},
        [[], {}, [{}]],
        { '': '' },
        { '"': { '\\': '\n' } },
        numbers,
        Object.fromEntries(members),
        {
          small: { nested: [1, 2] },
          huge: ['"'.repeat(70_000), 'x'.repeat(3_000_000), 100_000, -100_000, [1, 2, { a: 70_000 }]],
        },
        ['a'.repeat(127), 'b'.repeat(128), 'c'.repeat(16_383), 'd'.repeat(16_384)],
        JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`),
      ];
      for (const document of documents) {
        await table.insertJson(JSON.stringify(document));
      }
      for (const text of [
        '18446744073709551615',
        '9223372036854775807',
        '-9223372036854775808',
        '9007199254740993',
        '-0',
        '-0.0',
      ]) {
        await table.insertJson(text);
      }
      await server()
        .query(`CREATE TABLE test_json.typed (b BIT(13), t TINYBLOB, m MEDIUMBLOB, l LONGBLOB, vb VARBINARY(9), bi BINARY(4),
        y YEAR, e ENUM('x,y'), s SET('a','b'), ts TIMESTAMP(6) NULL, f FLOAT)`);
      await server().query(`INSERT INTO test_json.typed VALUES
        (b'1010101010101', 't', REPEAT('m', 57), REPEAT('l', 58), 'vb', 'bi', 2026, 'x,y', 'a,b', '2026-11-20 01:02:03.000001', 0.1)`);
      await table.insert(['JSON_ARRAY(b, t, m, l, vb, bi, y, e, s, ts, f)'], 'FROM test_json.typed');
      await table.insert(
        ["ST_GeomFromText('POINT(1 2)')", "CAST('2015-01-15' AS DATE)", 'CAST(1.10 AS DECIMAL(9,4))'].map(asJson),
      );
      expect(await table.compare()).toEqual({ compared: documents.length + 6 + 4, differences: [] });
    });

    test('a NOT NULL column that got no value holds an empty document, which is null', async () => {
      await using table = await JsonTable.create(server(), 'valueless');
      await table.query('INSERT INTO valueless (id) VALUES (1)');
      const [row] = await table.rows();
      expect(row?.after.json).toHaveLength(0);
      expect(await table.compare()).toEqual({ compared: 1, differences: [] });
    });

    test(
      'documents that were updated in place print exactly as SELECT prints them',
      async () => {
        await using table = await JsonTable.create(server(), 'in_place');
        const { partial, ...comparison } = await updateAtRandom(table, new Random(SEED + 2));
        expect(comparison).toEqual({ compared: 2100 * SOAK, differences: [] });
        expect(partial).toBe(0);
        // Otherwise the server rewrote every document, and none had the holes that this is about.
        expect(await table.count('JSON_STORAGE_FREE(j) > 0')).toBeGreaterThan(0);
      },
      TEST_MAX_MS,
    );

    test(
      'partial updates give exactly the text that SELECT shows',
      async () => {
        await using table = await JsonTable.create(server(), 'partial');
        await table.query("SET binlog_row_value_options = 'PARTIAL_JSON'");
        const { partial, ...comparison } = await updateAtRandom(table, new Random(SEED + 3));
        expect(comparison).toEqual({ compared: 2100 * SOAK, differences: [] });
        expect(partial).toBeGreaterThan(1000);
      },
      TEST_MAX_MS,
    );
  },
  { owned: true },
);

function asJson(expression: string): string {
  return `CAST(${expression} AS JSON)`;
}

/** Inserts documents, updates each at random paths, and compares every image in the binlog. `partial`: how many came as diffs. */
async function updateAtRandom(table: JsonTable, random: Random): Promise<Comparison & { readonly partial: number }> {
  await table.insert(
    random.list(
      100 * SOAK,
      () => `JSON_OBJECT('pad', REPEAT('p', 4000), 'o', ${randomObject(random, 3)},
    'a', JSON_ARRAY(${random.list(6, () => randomExpression(random, 2)).join()}))`,
    ),
  );
  const texts = new Map<string, string>();
  for (const [id, text] of await table.selected()) texts.set(`${id}/0`, text);
  for (let version = 1; version <= 20; version++) {
    for (let id = 1; id <= 100 * SOAK; id++) {
      const paths = random.list(random.below(3) + 1, () => randomPath(random, texts.get(`${id}/${version - 1}`) ?? ''));
      const set = paths.map((path) => `${quoted(path)}, ${randomExpression(random, 2)}`).join();
      const change = random.pick([
        `JSON_SET(j, ${set})`,
        `JSON_REPLACE(j, ${set})`,
        `JSON_REMOVE(j, ${paths.map(quoted).join()})`,
        `JSON_REMOVE(JSON_SET(j, ${set}), ${quoted(paths[0] ?? '$.pad')})`,
      ]);
      texts.set(`${id}/${version}`, await table.update(id, version, change));
    }
  }

  let partial = 0;
  let compared = 0;
  const differences: string[] = [];
  for (const { before, after } of await table.rows()) {
    if (before !== null) {
      differences.push(...difference(wholeText(before), texts.get(`${before.id}/${before.version}`)));
    }
    const text = after.isPartial && before !== null ? applyJsonDiffs(before.json, after.json) : wholeText(after);
    differences.push(...difference(text, texts.get(`${after.id}/${after.version}`)));
    if (after.isPartial) partial++;
    compared++;
  }
  return { compared, differences, partial };
}

/** A path into the document: mostly to something that is there, sometimes to a place where something could be put. */
function randomPath(random: Random, document: string): string {
  let at: unknown = JSON.parse(document);
  let path = '$';
  for (;;) {
    if (path !== '$' && random.below(4) === 0) return path;
    if (Array.isArray(at)) {
      const elements: readonly unknown[] = at;
      const index = random.below(elements.length + 2);
      const fromEnd = random.below(3) === 0;
      path += fromEnd ? random.pick(['[last]', `[last-${index}]`]) : `[${index}]`;
      if (fromEnd || index >= elements.length) return path;
      at = elements[index];
    } else if (typeof at === 'object' && at !== null) {
      const names = Object.keys(at).filter((name) => name !== 'pad');
      const name = random.below(4) === 0 ? randomString(random, 5) : (names[random.below(names.length)] ?? 'new');
      path += `.${JSON.stringify(name)}`;
      if (!names.includes(name)) return path;
      at = Object.entries(at).find(([key]) => key === name)?.[1];
    } else {
      return path === '$' || random.below(5) === 0 ? `${path}[${random.below(2)}]` : path;
    }
  }
}

function quoted(path: string): string {
  return `CONVERT(x'${Buffer.from(path).toString('hex')}' USING utf8mb4)`;
}
