import { createHash, createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { changeOf, rowsOf, shown } from '../../test/support/mapped.ts';
import type { Row } from '../core/change.ts';
import { isTidingsError, type TidingsError } from '../core/errors.ts';
import { type ColumnSketch, tableOf } from '../testing/tables.ts';
import { createMapper } from './mapper.ts';
import type { MappingConfig, RuleConfig } from './mapping-config.ts';

const COLUMNS: Readonly<Record<string, ColumnSketch>> = {
  id: { type: 'int', nullable: false },
  status: { type: 'varchar', length: 10 },
  price: { type: 'decimal', length: 10, scale: 2 },
  quantity: 'int',
  email: { type: 'varchar', length: 50 },
  active: 'tinyint',
  raw: { type: 'binary', length: 2, charset: 'binary' },
  doc: 'json',
  vector: { type: 'vector', length: 2 },
};
const ORDERS = tableOf('shop.orders', COLUMNS, ['id']);
const ROW: Row = {
  id: 1,
  status: 'open',
  price: '9.90',
  quantity: 2,
  email: 'ann@example.com',
  active: 1,
  raw: Buffer.from([1, 2]),
  doc: '{"a": 12345678901234567890}',
  vector: new Float32Array([0.5, 0.1]),
};

function withRule(rule: RuleConfig): MappingConfig {
  return { tables: { 'shop.orders': rule } };
}

function after(rule: RuleConfig, row: Row = ROW): Row {
  const [mapped] = rowsOf(withRule(rule), changeOf(ORDERS, { after: row }));
  return mapped?.after ?? {};
}

function errorOf(make: () => unknown): TidingsError {
  try {
    make();
  } catch (error) {
    if (isTidingsError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function typesOf(rule: RuleConfig): Record<string, unknown> {
  const [mapped] = rowsOf(withRule(rule), changeOf(ORDERS, { after: ROW }));
  return Object.fromEntries(
    (mapped?.target.table.columns ?? []).map(({ name, type, length, scale, nullable }) => [
      name,
      `${type}${scale === null ? (length === null ? '' : `(${length})`) : `(${length},${scale})`}${nullable ? '' : ' not null'}`,
    ]),
  );
}

describe('the columns of a target', () => {
  test("are those of the table as long as nobody says otherwise, and the rows are the stream's own", () => {
    const [mapped] = rowsOf({}, changeOf(ORDERS, { after: ROW }));
    expect(mapped?.after).toBe(ROW);
    expect(mapped?.target.table.columns).toEqual(ORDERS.columns);
    expect(mapped).toMatchObject({ kind: 'insert', key: { id: 1 }, keepsKey: true, scn: 1 });
  });

  test('have the types that follow from the rules', () => {
    const rule: RuleConfig = {
      include: ['id', 'raw'],
      columns: {
        price: { cast: 'double' },
        total: { expr: 'price * quantity' },
        email: { hash: 'sha256' },
        state: { from: 'status', truncate: 3 },
        hidden: { from: 'status', mask: 'all' },
        count: { from: 'quantity', default: 0 },
        source: { value: 'shop' },
        version: { value: 3 },
        rate: { value: 0.25 },
        tags: { value: ['a', 'b'] },
        id: 'id',
        'nested.id': 'id',
        changed: { expr: 'committed_at()' },
      },
    };
    expect(typesOf(rule)).toEqual({
      id: 'int not null',
      email: 'char(64)',
      state: 'varchar(3)',
      hidden: 'varchar(10)',
      price: 'double',
      count: 'int not null',
      raw: 'binary(2)',
      total: 'decimal(20,2)',
      source: 'varchar(4) not null',
      version: 'bigint not null',
      rate: 'decimal(3,2) not null',
      tags: 'json not null',
      nested: 'json',
      changed: 'timestamp(6) not null',
    });
  });

  test('are renamed by case, by name and by pattern, in order', () => {
    expect(
      Object.keys(
        after({
          include: ['id', 'status', 'email'],
          rename: [{ status: 'order_status', '/^e(.*)$/': 'customer_E$1' }, 'camel'],
        }),
      ),
    ).toEqual(['id', 'orderStatus', 'customerEmail']);
    const mapping: MappingConfig = {
      rename: { columns: 'upper' },
      databases: { shop: { rename: { columns: { id: 'order_id' } } } },
      tables: { 'shop.orders': { include: ['id'] } },
    };
    expect(rowsOf(mapping, changeOf(ORDERS, { after: ROW }))[0]?.after).toEqual({ order_id: 1 });
  });

  test('stand in the order of the table: what is made of a column in its place, everything else at the end', () => {
    expect(
      Object.keys(
        after({
          include: ['id', 'email'],
          columns: { zero: { value: 0 }, state: 'status', quantity: { expr: 'quantity * 2' } },
        }),
      ),
    ).toEqual(['id', 'state', 'email', 'zero', 'quantity']);
    expect(
      Object.keys(after({ include: ['id', 'quantity', 'email'], columns: { quantity: { expr: 'quantity * 2' } } })),
    ).toEqual(['id', 'quantity', 'email']);
  });

  test('do not show under its own name what was masked, hashed or renamed', () => {
    expect(
      after({ columns: { mail: { from: 'email', mask: { start: 1, end: 4, with: '#' } }, state: 'status' } }),
    ).toMatchObject({ mail: 'a##########.com', state: 'open' });
    expect(Object.keys(after({ columns: { mail: { from: 'email', hash: 'sha256' } } }))).not.toContain('email');
  });

  test('hash with a key, cut characters and not code units, hide what is too short altogether', () => {
    const hashed = after({ columns: { email: { hash: { key: 'secret' } } } })['email'];
    expect(hashed).toBe(createHmac('sha256', 'secret').update('ann@example.com').digest('hex'));
    expect(after({ columns: { email: { hash: 'sha256' } } })['email']).toBe(
      createHash('sha256').update('ann@example.com').digest('hex'),
    );
    const row = { ...ROW, status: '🚲a🚲', email: 'abc' };
    expect(after({ columns: { status: { truncate: 2 }, email: { mask: { start: 2, end: 2 } } } }, row)).toMatchObject({
      status: '🚲a',
      email: '***',
    });
    expect(after({ columns: { status: { mask: { start: 1 } } } }, row)).toMatchObject({ status: '🚲**' });
  });

  test('take their default for NULL, and nothing else', () => {
    const row = { ...ROW, quantity: null, status: null, price: null };
    expect(
      after({ columns: { quantity: { default: 0 }, status: { default: 'none' }, price: { default: 1.5 } } }, row),
    ).toMatchObject({ quantity: 0, status: 'none', price: '1.50' });
    expect(after({ columns: { quantity: { default: 0 } } })).toMatchObject({ quantity: 2 });
  });

  test('keep their names and values whatever the names are', () => {
    const table = tableOf(
      'a.b',
      Object.fromEntries(['id', 'constructor', 'toString'].map((name) => [name, 'int' as const])),
      ['id'],
    );
    const row = { id: 1, constructor: 2, toString: 3 } as unknown as Row;
    const mapping: MappingConfig = {
      tables: { 'a.b': { columns: { __proto: 'id' }, rename: { toString: '__proto__' }, key: ['__proto'] } },
    };
    const mapped = rowsOf(mapping, changeOf(table, { after: row }))[0]?.after ?? {};
    expect(Object.entries(mapped)).toEqual([
      ['__proto', 1],
      ['constructor', 2],
      ['__proto__', 3],
    ]);
    const partial =
      rowsOf(mapping, changeOf(table, { kind: 'update', before: { id: 1 }, after: { constructor: 5 } }))[0]?.after ??
      {};
    expect(Object.entries(partial)).toEqual([
      ['__proto', 1],
      ['constructor', 5],
    ]);
  });
});

describe('a nested document', () => {
  test('is text with every digit, of every type', () => {
    const columns = {
      'd.id': 'id',
      'd.price': 'price',
      'd.active': { from: 'active', cast: 'boolean' },
      'd.raw': 'raw',
      'd.doc': 'doc',
      'd.v': 'vector',
      'd.list[0]': 'status',
      'd.list[1]': 'email',
    };
    expect(after({ include: [], columns: { id: 'id', ...columns } })['d']).toBe(
      '{"id":1,"price":"9.90","active":true,"raw":"AQI=","doc":{"a": 12345678901234567890},"v":[0.5,0.1],"list":["open","ann@example.com"]}',
    );
  });

  test('has its NULLs, or leaves them out', () => {
    const row = { ...ROW, status: null, email: null };
    const columns = {
      'd.status': 'status',
      'd.list[0]': 'email',
      'd.list[1]': { from: 'quantity' },
      'd.none': { value: null },
    };
    expect(after({ include: ['id'], columns }, row)['d']).toBe('{"status":null,"list":[null,2],"none":null}');
    expect(after({ include: ['id'], columns, nulls: 'omit' }, row)['d']).toBe('{"list":[2]}');
  });

  test('is not put together of half of what it is made of: the parts are told where the sink can take them', () => {
    const rule: RuleConfig = {
      include: ['id'],
      columns: { 'd.status': 'status', 'd.email': 'email', 'd.price': 'price' },
    };
    const update = changeOf(ORDERS, { before: { id: 1 }, after: { status: 'paid', price: null } });
    expect(errorOf(() => rowsOf(withRule(rule), update))).toMatchObject({
      code: 'MAPPING_FAILED',
      message: expect.stringContaining('"d" is made of status, email, price'),
    });
    const [row] = rowsOf(withRule({ ...rule, nulls: 'omit' }), update, { patches: true });
    expect(row?.target.patched).toEqual(['d']);
    expect(shown(row === undefined ? [] : [row])).toEqual([
      {
        to: 'shop.orders',
        kind: 'update',
        key: { id: 1 },
        before: { id: 1 },
        after: { id: 1 },
        patches: [
          { kind: 'set', path: ['d', 'status'], value: '"paid"' },
          { kind: 'set', path: ['d', 'price'], value: null },
        ],
      },
    ]);
  });
});

describe('what the source did not log', () => {
  const update = changeOf(ORDERS, { before: { id: 1 }, after: { status: 'paid' } });

  test('is left as it is, or makes the row fail', () => {
    expect(shown(rowsOf(withRule({ rename: { status: 'state' } }), update))).toEqual([
      { to: 'shop.orders', kind: 'update', key: { id: 1 }, before: { id: 1 }, after: { id: 1, state: 'paid' } },
    ]);
    expect(errorOf(() => rowsOf(withRule({ missing: 'fail' }), update)).message).toBe(
      'a row of shop.orders, rule shop.orders: "price" was not logged, and the row is wanted as a whole: set binlog_row_image to FULL',
    );
  });

  test('is no reason to leave a calculated column stale', () => {
    const rule: RuleConfig = {
      columns: { label: { expr: "concat(status, '/', price)" }, total: { expr: 'price * quantity' } },
    };
    expect(errorOf(() => rowsOf(withRule(rule), update)).message).toContain(
      '"label" is made of status, price, of which not all was logged',
    );
    // Neither price nor quantity changed: the total is what it was.
    expect(rowsOf(withRule({ columns: { total: { expr: 'price * quantity' } } }), update)[0]?.after).toEqual({
      id: 1,
      status: 'paid',
    });
    // The image before has what the image after lacks.
    const noblob = changeOf(ORDERS, {
      before: { id: 1, status: 'open', price: '2.00' },
      after: { id: 1, status: 'paid' },
    });
    expect(rowsOf(withRule(rule), noblob)[0]?.after).toEqual({
      id: 1,
      status: 'paid',
      price: '2.00',
      label: 'paid/2.00',
    });
  });

  test('cannot decide where a row goes', () => {
    expect(errorOf(() => rowsOf(withRule({ to: 'orders_{email}' }), update)).message).toContain(
      "the target's name depends on a column that was not logged",
    );
    expect(errorOf(() => rowsOf(withRule({ key: ['email'] }), update)).message).toContain(
      '"email" of the key was not logged',
    );
    expect(errorOf(() => rowsOf(withRule({ where: "status = 'paid'" }), update)).message).toContain(
      '"price" was not logged, and the row is wanted as a whole',
    );
    expect(errorOf(() => rowsOf(withRule({ where: "status = 'paid' and quantity > 1" }), update)).message).toContain(
      'the condition depends on a column that was not logged',
    );
  });

  test('does not matter for a condition on columns that did not change: what is there changes, what is not stays away', () => {
    expect(shown(rowsOf(withRule({ where: 'quantity > 1' }), update))).toEqual([
      { to: 'shop.orders', kind: 'update', key: { id: 1 }, before: { id: 1 }, after: { id: 1, status: 'paid' } },
    ]);
  });

  test('of a condition lets a row that perhaps was there go from its old key', () => {
    const moved = changeOf(ORDERS, { before: { id: 1 }, after: { id: 2, status: 'paid' } });
    const rule: RuleConfig = { include: ['id', 'status'], where: "status = 'paid'" };
    expect(shown(rowsOf(withRule(rule), moved))).toEqual([
      { to: 'shop.orders', kind: 'delete', key: { id: 1 }, before: { id: 1 } },
      { to: 'shop.orders', kind: 'upsert', key: { id: 2 }, after: { id: 2, status: 'paid' } },
    ]);
  });

  test('of a condition is no licence to make a row that perhaps is not there', () => {
    // All that the target has is known; whether it has the row is not.
    const noblob = changeOf(ORDERS, { before: { id: 1, status: 'open' }, after: { id: 1, status: 'paid' } });
    const rule: RuleConfig = { include: ['id', 'status'], where: "email = 'x'" };
    expect(errorOf(() => rowsOf(withRule(rule), noblob)).message).toContain(
      'the condition depends on a column that was not logged',
    );
    // Under its key there may be a row that is marked, or another table's.
    for (const more of [
      { delete: { soft: { gone: true } } },
      { delete: 'ignore' },
      { merge: 'any' },
    ] satisfies RuleConfig[]) {
      expect(errorOf(() => rowsOf(withRule({ where: 'quantity > 1', ...more }), update)).code).toBe('MAPPING_FAILED');
    }
  });

  test('of what was before an upsert is everything: a row out of the condition goes by its key alone', () => {
    const upsert = changeOf(ORDERS, { kind: 'upsert', after: ROW });
    const rule: RuleConfig = { where: "status = 'paid'", include: ['id', 'status'] };
    expect(shown(rowsOf(withRule(rule), upsert))).toEqual([
      { to: 'shop.orders', kind: 'delete', key: { id: 1 }, before: { id: 1 } },
    ]);
    expect(shown(rowsOf(withRule({ ...rule, delete: { soft: { gone: true } } }), upsert))).toEqual([
      { to: 'shop.orders', kind: 'update', key: { id: 1 }, before: { id: 1 }, after: { id: 1, gone: 1 } },
    ]);
    expect(rowsOf(withRule(rule), { ...upsert, snapshot: true })).toEqual([]);
  });

  test("of an INSERT is the target's default; of a row whose key has moved it lies under the old key", () => {
    const insert = changeOf(ORDERS, { after: { id: 1, status: 'open' } });
    expect(rowsOf(withRule({ rename: 'upper' }), insert)[0]).toMatchObject({
      kind: 'insert',
      after: { ID: 1, STATUS: 'open' },
    });
    expect(errorOf(() => rowsOf(withRule({ rename: 'upper' }), { ...insert, moved: 'to' })).message).toContain(
      'wanted as a whole',
    );
    expect(errorOf(() => rowsOf(withRule({ columns: { total: { expr: 'price * 2' } } }), insert)).message).toContain(
      '"total" is made of price',
    );
  });
});

describe('an error of a row', () => {
  test('names table, column and rule, and holds no value', () => {
    const error = errorOf(() =>
      after({ columns: { total: { from: 'price', cast: 'int' } } }, { ...ROW, price: '1234.56' }),
    );
    expect(error).toMatchObject({
      code: 'MAPPING_FAILED',
      retry: 'operator',
      message:
        'a row of shop.orders, rule shop.orders: column "total": the number has more digits behind the point than INT: round it',
      details: { table: 'shop.orders', column: 'total', rule: 'shop.orders', scn: 1 },
    });
    const list: MappingConfig = {
      tables: { 'shop.*': [{}, { to: 'x', columns: { total: { from: 'status', cast: 'int' } } }] },
    };
    const second = errorOf(() => rowsOf(list, changeOf(ORDERS, { after: { ...ROW, status: 'secret!' } })));
    expect(second.message).toBe('a row of shop.orders, rule shop.*[1]: column "total": the text is no INT');
    expect(JSON.stringify(second)).not.toContain('secret');
  });

  test("holds no value either where the value is not of its column's type at all", () => {
    const error = errorOf(() =>
      after({ columns: { total: { expr: 'price + 1' } } }, { ...ROW, price: 'secret-99999999999999999' }),
    );
    expect(error).toMatchObject({ code: 'MAPPING_FAILED', details: { column: 'total' } });
    expect(JSON.stringify({ message: error.message, cause: error.cause, details: error.details })).not.toContain(
      'secret',
    );
  });

  test('is told of the condition, the key or the name where it is theirs, whatever else is wrong with the row', () => {
    const rule: RuleConfig = { columns: { status: { cast: 'int' } }, to: 'x_{email}' };
    const error = errorOf(() => after(rule, { ...ROW, email: '' }));
    expect(error.details['column']).toBe('status');
    const deleted = errorOf(() => rowsOf(withRule(rule), changeOf(ORDERS, { before: { ...ROW, email: null } })));
    expect(deleted.message).toBe(
      'a row of shop.orders, rule shop.orders: the target\'s name depends on "email", which is NULL',
    );
  });

  test('is one where a mark of a deleted row cannot be known', () => {
    const rule: RuleConfig = { delete: { soft: { gone: true, last: { expr: 'status' } } } };
    expect(errorOf(() => rowsOf(withRule(rule), changeOf(ORDERS, { before: { id: 1 } }))).message).toContain(
      'the marks of a row that is no more depend on a column that was not logged',
    );
  });

  test('is one where a key is NULL', () => {
    expect(errorOf(() => after({ key: ['email'] }, { ...ROW, email: null })).message).toBe(
      'a row of shop.orders, rule shop.orders: "email" of the key is NULL',
    );
  });

  test('of the image before does no harm: what could not be mapped is not there', () => {
    const rule: RuleConfig = { columns: { status: { cast: 'int' } } };
    const update = changeOf(ORDERS, { before: { ...ROW, status: 'x' }, after: { ...ROW, status: '5' } });
    const [row] = rowsOf(withRule(rule), update);
    expect(row?.after).toMatchObject({ status: 5 });
    expect(row?.before).not.toHaveProperty('status');
  });
});

describe('rules that do not go with a table', () => {
  test.each<[rule: RuleConfig, message: string]>([
    [{ columns: { x: 'nothing' } }, 'column "x": shop.orders has no column "nothing", at character 1'],
    [{ where: 'nothing = 1' }, 'shop.orders has no column "nothing", at character 1'],
    [
      { where: "quantity = 'x'" },
      '"quantity" is an INT column and cannot be compared with this string, at character 12',
    ],
    [{ to: 'x_{nothing}' }, 'shop.orders has no column "nothing", at character 4'],
    [{ to: 'x_{raw}' }, '"raw" is BINARY(2), which is no part of a name, at character 4'],
    [{ columns: { x: { from: 'doc', cast: 'int' } } }, 'column "x": "doc" is JSON, which is never INT'],
    [{ columns: { x: { from: 'quantity', mask: 'all' } } }, 'column "x": "quantity" is INT: mask is for text'],
    [{ columns: { x: { from: 'quantity', default: 'many' } } }, 'column "x": the text is no INT, at character 1'],
    [{ columns: { x: { value: null } } }, 'column "x": its value is NULL, of no type'],
    [
      { exclude: ['id'] },
      'column "id": "id" of the table\'s key is not in the target, or not so that its values stay different',
    ],
    [
      { columns: { id: { truncate: 3, cast: 'varchar(20)' } } },
      'column "id": "id" of the table\'s key is not in the target, or not so that its values stay different',
    ],
    [{ key: ['nothing'] }, 'column "nothing": the target has no such column for its key'],
    [{ key: ['doc'] }, 'column "doc": it is JSON and cannot be part of a key'],
    [
      { key: ['n'], columns: { n: { expr: 'scn()' } } },
      'column "n": the key depends on scn(), committed_at() or op(), which differ from change to change',
    ],
    [{ include: ['id', 'statsu'] }, 'column "statsu": shop.orders has no such column to include'],
    [{ rename: { status: 'email' } }, 'column "email": it would have the values of status and email'],
    [{ delete: { soft: { gone: null } } }, 'column "gone": NULL is what a row that is there has, too'],
    [{ delete: { soft: { quantity: 'x' } } }, 'column "quantity": the text is no INT, at character 1'],
    [{ delete: { soft: { id: 0 } } }, 'column "id": it is part of the key: a row that is no more would be another row'],
    [{ key: ['id', 'id'] }, 'column "id": it is in the key twice'],
    [{ rename: { '/^status$/': '' } }, 'what is made of status would have no name'],
  ])('%j stop the sink before the first row', (rule, message) => {
    const found = errorOf(() => after(rule));
    expect(found).toMatchObject({ code: 'MAPPING_INVALID', retry: 'operator' });
    expect(found.message).toBe(`shop.orders does not go with rule shop.orders: ${message}`);
  });

  test('are told with how much else is wrong', () => {
    expect(errorOf(() => after({ columns: { x: 'a', y: 'b', z: 'c' } })).message).toMatch(/, and 2 more$/);
  });

  test('are told all at once where they are wrong in themselves', () => {
    const error = errorOf(() =>
      createMapper({ mapping: { tables: { a: { where: 'x' }, b: { columns: { 'c.': 'd' } } } }, sink: 's' }),
    );
    expect(error.code).toBe('MAPPING_INVALID');
    expect(error.message).toContain('tables.a.where: ');
    expect(error.message).toContain('tables.b.columns.c.: ');
  });
});

describe('a column that a version of the table does not have', () => {
  test('is a mistake, unless a default stands for it', () => {
    expect(errorOf(() => after({ columns: { note: 'note' } })).code).toBe('MAPPING_INVALID');
    expect(after({ columns: { note: { default: 'none' } } })).toMatchObject({ note: 'none' });
    expect(after({ columns: { note: { from: 'note', cast: 'varchar(5)', default: null } } })).toMatchObject({
      note: null,
    });
    expect(typesOf({ include: ['id'], columns: { note: { cast: 'varchar(5)', default: null } } })).toEqual({
      id: 'int not null',
      note: 'varchar(5)',
    });
  });
});
