import { describe, expect, test } from 'vitest';
import { changeOf, rowsOf, shown } from '../../test/support/mapped.ts';
import type { StreamChange } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { MappedRow } from '../core/mapper.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { tableOf } from '../testing/tables.ts';
import type { HookRow, MappingHooks } from './hooks.ts';
import type { LookupKey } from './lookups.ts';
import { createMapper } from './mapper.ts';
import type { MappingConfig } from './mapping-config.ts';

const USERS = tableOf(
  'crm.users',
  { id: { type: 'int', nullable: false }, name: { type: 'varchar', length: 20 }, doc: 'json' },
  ['id'],
);
const insert = (id = 1, name = 'Ann'): StreamChange => changeOf(USERS, { after: { id, name, doc: '{}' }, scn: id });
const update = changeOf(USERS, { before: { id: 1, name: 'Ann', doc: '{}' }, after: { id: 1, name: 'Bob', doc: '{}' } });

function withHooks(hooks: MappingHooks, change = insert(), mapping: MappingConfig = {}): unknown {
  const rows = rowsOf(mapping, change, { hooks }) as readonly MappedRow[] | Promise<readonly MappedRow[]>;
  return rows instanceof Promise ? rows.then(shown) : shown(rows);
}

const renamed = (change: StreamChange, name: string): StreamChange => ({ ...change, after: { ...change.after, name } });

describe('before', () => {
  test('changes what the rules see, at once or later', async () => {
    const before = (change: StreamChange): StreamChange => renamed(change, 'Zoe');
    const mapping: MappingConfig = { tables: { 'crm.users': { rename: 'upper' } } };
    const expected = [{ to: 'crm.users', kind: 'insert', key: { ID: 1 }, after: { ID: 1, NAME: 'Zoe', DOC: '{}' } }];
    expect(withHooks({ before }, insert(), mapping)).toEqual(expected);
    expect(await withHooks({ before: (change) => Promise.resolve(before(change)) }, insert(), mapping)).toEqual(
      expected,
    );
  });

  test('leaves a change out with null, and makes several of it with a list', () => {
    expect(withHooks({ before: () => null })).toEqual([]);
    expect(withHooks({ before: (change) => [renamed(change, 'a'), renamed(change, 'b')] })).toMatchObject([
      { after: { name: 'a' } },
      { after: { name: 'b' } },
    ]);
  });

  test('adds the columns that it declares, and no others', () => {
    const before = (change: StreamChange): StreamChange => ({
      ...change,
      after: { ...change.after, score: 7, seen: true },
    });
    const adds = { 'crm.*': { score: 'int', seen: 'boolean' } };
    const mapping: MappingConfig = { tables: { 'crm.users': { columns: { doubled: { expr: 'score * 2' } } } } };
    expect(withHooks({ before, adds }, insert(), mapping)).toMatchObject([
      { after: { score: 7, seen: 1, doubled: 14 } },
    ]);
    expect(() => withHooks({ before })).toThrow(
      'a row of crm.users: the hook "before": it set "score", which crm.users does not have: declare the column (adds, targets)',
    );
  });

  test('makes text of documents, and takes only values', () => {
    const set = (doc: unknown) => (change: StreamChange) =>
      ({ ...change, after: { ...change.after, doc } }) as StreamChange;
    expect(withHooks({ before: set({ a: [1] }) })).toMatchObject([{ after: { doc: '{"a":[1]}' } }]);
    expect(withHooks({ before: set(true) })).toMatchObject([{ after: { doc: 'true' } }]);
    for (const value of [() => 1, Symbol('x'), 1 / 0, { big: 1n }]) {
      expect(() => withHooks({ before: set(value) })).toThrow(expect.objectContaining({ code: 'MAPPING_FAILED' }));
    }
    expect(() =>
      withHooks({
        before: (change) => ({ ...change, after: { ...change.after, name: new Date() } }) as unknown as StreamChange,
      }),
    ).toThrow('what it set "name" to is no value');
  });

  test('must not change a key in secret: the rows of a key would come out of order', () => {
    const before = (change: StreamChange): StreamChange => ({ ...change, after: { ...change.after, id: 9 } });
    expect(() => withHooks({ before })).toThrow('keepsKeys = false');
    const [row] = rowsOf({}, insert(), { hooks: { before, keepsKeys: false } });
    expect(row).toMatchObject({ key: { id: 9 }, keepsKey: false });
  });
});

describe('map', () => {
  const targets = { people: { database: 'hr', columns: { id: 'int', tag: 'varchar(10)' }, key: ['id'] } };
  const map = (change: StreamChange): HookRow => ({ to: 'people', after: { id: change.after?.['id'] ?? 0, tag: 'x' } });

  test('takes the place of the rules', () => {
    expect(withHooks({ map, targets }, insert(), { tables: { 'crm.users': { exclude: ['id'] } } })).toEqual([
      { to: 'hr.people', kind: 'insert', key: { id: 1 }, after: { id: 1, tag: 'x' } },
    ]);
    const [row] = rowsOf({}, insert(), { hooks: { map, targets } });
    expect(row?.keepsKey).toBe(true);
    expect(row?.target.table.columns.map(({ name, type, nullable }) => [name, type, nullable])).toEqual([
      ['id', 'int', false],
      ['tag', 'varchar', true],
    ]);
    const again = rowsOf({}, insert(), { hooks: { map, targets } });
    expect(again[0]?.target.table).toEqual(row?.target.table);
  });

  test('finds a row that was changed or deleted by its key', () => {
    expect(withHooks({ map, targets }, update)).toEqual([
      { to: 'hr.people', kind: 'update', key: { id: 1 }, before: { id: 1 }, after: { id: 1, tag: 'x' } },
    ]);
    const remove = {
      map: (change: StreamChange): HookRow => ({ to: 'people', before: { id: change.before?.['id'] ?? 0 } }),
      targets,
    };
    expect(withHooks(remove, changeOf(USERS, { before: { id: 1, name: 'a', doc: null } }))).toEqual([
      { to: 'hr.people', kind: 'delete', key: { id: 1 }, before: { id: 1 } },
    ]);
  });

  test('is not asked for tables that the mapping leaves out', () => {
    expect(withHooks({ map, targets }, insert(), { tables: { 'crm.users': 'skip', '*': {} } })).toEqual([]);
  });

  test.each<[row: unknown, message: string]>([
    [{ to: 'nobody', after: {} }, 'it made a row for a target that is none of people'],
    [{ to: 'people', after: { id: 1, other: 2 } }, 'it set "other", which hr.people does not have'],
    [{ to: 'people', after: { tag: 'x' } }, 'the row that it answered lacks a column of the key, or has NULL there'],
    [{ to: 'people', after: { id: 2, tag: 'x' } }, 'it changed a key, or made a row with another one'],
    [{ to: 'people', kind: 'nothing', after: { id: 1 } }, 'what it answered has no kind'],
    [{ to: 'people' }, 'the row that it answered has no columns'],
    [undefined, 'it answered nothing: it is null that leaves a row out'],
    ['x', 'it answered nothing: it is null that leaves a row out'],
  ])('%j reaches no sink', (row, message) => {
    expect(() => withHooks({ map: () => row as HookRow, targets })).toThrow(message);
  });

  test('makes truncations a matter for a person', () => {
    const mapper = createMapper({ mapping: {}, sink: 's', hooks: { map, targets } });
    expect(() => mapper.targetsOf('crm', 'users')).toThrow(expect.objectContaining({ code: 'MAPPING_INVALID' }));
    const ignoring = createMapper({ mapping: { truncate: 'ignore' }, sink: 's', hooks: { map, targets } });
    expect(ignoring.targetsOf('crm', 'users')).toEqual([]);
  });
});

describe('after', () => {
  test('changes, leaves out and multiplies the rows that were made', async () => {
    const after = (row: MappedRow): MappedRow => ({ ...row, after: { ...row.after, name: 'X' } });
    expect(withHooks({ after })).toMatchObject([{ after: { name: 'X' } }]);
    expect(withHooks({ after: () => null })).toEqual([]);
    expect(await withHooks({ after: async (row) => [row, after(row)] })).toMatchObject([
      { after: { name: 'Ann' } },
      { after: { name: 'X' } },
    ]);
  });

  test('must not change keys, targets or columns in secret', () => {
    expect(() => withHooks({ after: (row) => ({ ...row, after: { ...row.after, id: 2 } }) })).toThrow(
      'keepsKeys = false',
    );
    expect(() => withHooks({ after: (row) => ({ ...row, after: { ...row.after, x: 2 } }) })).toThrow(
      'it set "x", which crm.users does not have',
    );
    expect(() => withHooks({ after: (row) => ({ ...row, target: { ...row.target } }) })).toThrow(
      'no row of the same target and change',
    );
    const [row] = rowsOf({}, insert(), {
      hooks: { after: (made) => ({ ...made, after: { ...made.after, id: 2 } }), keepsKeys: false },
    });
    expect(row).toMatchObject({ key: { id: 2 }, keepsKey: false });
  });
});

describe('an error of a hook', () => {
  test("is the row's: it names the hook and where it was thrown, and no value", () => {
    try {
      withHooks({
        before: () => {
          throw new TypeError('secret');
        },
      });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'MAPPING_FAILED', details: { table: 'crm.users', hook: 'before', scn: 1 } });
      expect((error as Error).message).toMatch(
        /^a row of crm\.users: the hook "before" threw TypeError at hooks\.test\.ts:\d+:\d+$/,
      );
      expect(JSON.stringify(error) + String((error as Error).cause)).not.toContain('secret');
    }
  });

  test('is passed on as it is when waiting may cure it', async () => {
    const away = new TidingsError('CONNECTION_LOST', 'the service is away');
    const hooks: MappingHooks = { before: () => Promise.reject(away) };
    await expect(withHooks(hooks)).rejects.toBe(away);
    const { mapBatch } = createMapper({ mapping: {}, sink: 's', hooks: { beforeBatch: () => Promise.reject(away) } });
    await expect(mapBatch?.([insert()])).rejects.toBe(away);
  });

  test('comes of one that never answers, after a while: and the hook is told', async () => {
    const clock = new ManualClock();
    let signal: AbortSignal | undefined;
    const hooks: MappingHooks = {
      before: (_, context) => {
        signal = context.signal;
        return new Promise(() => {});
      },
    };
    const mapper = createMapper({ mapping: { hookTimeout: 500 }, sink: 's', hooks, clock });
    const rows = Promise.resolve(mapper.map(insert()));
    await clock.whenSleeping();
    clock.advance(499);
    expect(signal?.aborted).toBe(false);
    clock.advance(1);
    await expect(rows).rejects.toMatchObject({
      code: 'MAPPING_TIMEOUT',
      message: 'a row of crm.users: the hook "before" has not answered within 500 ms',
    });
    expect(signal?.aborted).toBe(true);
    expect(clock.sleeping).toBe(0);
  });

  test('ends with the sink, without waiting for the hook', async () => {
    const end = new AbortController();
    const reason = new Error('the sink ends');
    const mapper = createMapper({
      mapping: {},
      sink: 's',
      hooks: { after: () => new Promise(() => {}) },
      signal: end.signal,
    });
    const rows = Promise.resolve(mapper.map(insert()));
    end.abort(reason);
    await expect(rows).rejects.toBe(reason);
  });

  test('leaves no timer behind a hook that answered', async () => {
    const clock = new ManualClock();
    const mapper = createMapper({ mapping: {}, sink: 's', hooks: { before: async (change) => change }, clock });
    await mapper.map(insert());
    expect(clock.sleeping).toBe(0);
  });
});

describe('many at a time', () => {
  const changes = [insert(1), insert(2, 'bad'), insert(3)];
  const mapped = async (hooks: MappingHooks, clock?: ManualClock): Promise<unknown> => {
    const mapper = createMapper({ mapping: {}, sink: 's', hooks, ...(clock === undefined ? {} : { clock }) });
    const results = await mapper.mapBatch?.(changes);
    return results?.map(({ rows, error }) => (rows === null ? error.code : rows.map((row) => row.after?.['name'])));
  };

  test('is there only with a hook for many, and does what the hook for one does', async () => {
    expect(createMapper({ mapping: {}, sink: 's', hooks: { before: (change) => change } }).mapBatch).toBeUndefined();
    expect(createMapper({ mapping: {}, sink: 's' }).mapBatch).toBeUndefined();
    const beforeBatch = (list: readonly StreamChange[]): (StreamChange | null)[] =>
      list.map((change) => (change.after?.['name'] === 'bad' ? null : renamed(change, `${list.length}`)));
    expect(await mapped({ beforeBatch })).toEqual([['3'], [], ['3']]);
    // One at a time goes through the same hook.
    expect(withHooks({ beforeBatch })).toMatchObject([{ after: { name: '1' } }]);
  });

  test('one bad row does no harm to the others: they are asked for one by one', async () => {
    const calls: number[] = [];
    const afterBatch = (rows: readonly MappedRow[]): readonly MappedRow[] => {
      calls.push(rows.length);
      if (rows.some((row) => row.after?.['name'] === 'bad')) throw new Error('bad');
      return rows;
    };
    expect(await mapped({ afterBatch })).toEqual([['Ann'], 'MAPPING_FAILED', ['Ann']]);
    expect(calls).toEqual([3, 1, 1, 1]);
  });

  test('what the rules refuse is not handed to the hooks behind them', async () => {
    const mapping: MappingConfig = {
      tables: { '*': { columns: { name: { cast: 'varchar(3)' }, n: { from: 'id', cast: 'tinyint' } }, key: ['n'] } },
    };
    const mapper = createMapper({ mapping, sink: 's', hooks: { afterBatch: (rows) => rows } });
    const results = await mapper.mapBatch?.([insert(1), insert(1000), insert(3)]);
    expect(results?.map(({ rows, error }) => error?.details['column'] ?? rows?.length)).toEqual([1, 'n', 1]);
  });

  test('an answer without an entry for each is none', async () => {
    expect(await mapped({ beforeBatch: () => [] })).toEqual(['MAPPING_FAILED', 'MAPPING_FAILED', 'MAPPING_FAILED']);
  });

  test('one that never answers is not asked again for each row', async () => {
    const clock = new ManualClock();
    let calls = 0;
    const result = mapped(
      {
        beforeBatch: () => {
          calls += 1;
          return new Promise(() => {});
        },
      },
      clock,
    );
    await clock.whenSleeping();
    clock.advance(30_000);
    expect(await result).toEqual(['MAPPING_TIMEOUT', 'MAPPING_TIMEOUT', 'MAPPING_TIMEOUT']);
    expect(calls).toBe(1);
  });
});

describe('a lookup', () => {
  test('may be taken out of the context', async () => {
    const hooks: MappingHooks = {
      lookups: { name: { load: (key) => `n${String(key)}` } },
      before: (change, { lookup }) => renamed(change, String(lookup('name', 1))),
    };
    const rows = await createMapper({ mapping: {}, sink: 's', hooks, clock: new ManualClock() }).map(insert(1));
    expect(rows).toMatchObject([{ after: { name: 'n1' } }]);
  });

  const lookingUp = (
    load: (key: LookupKey) => unknown,
    { max, ttlMs }: { max?: number; ttlMs?: number } = {},
    clock = new ManualClock(),
  ) => {
    const bounds = { ...(max === undefined ? {} : { max }), ...(ttlMs === undefined ? {} : { ttlMs }) };
    const hooks: MappingHooks = {
      lookups: { name: { load, ...bounds } },
      before: (change, context) => {
        const answer = context.lookup('name', change.after?.['id'] ?? 0);
        const set = (name: unknown): StreamChange => renamed(change, String(name));
        return answer instanceof Promise ? answer.then(set) : set(answer);
      },
    };
    return createMapper({ mapping: {}, sink: 's', hooks, clock });
  };
  const nameIn = async (rows: unknown): Promise<unknown> => ((await rows) as readonly MappedRow[])[0]?.after?.['name'];

  test('is asked once per key, and answers at once from then on', async () => {
    const keys: LookupKey[] = [];
    const mapper = lookingUp((key) => {
      keys.push(key);
      return Promise.resolve(`n${String(key)}`);
    });
    const both = [mapper.map(insert(1)), mapper.map(insert(1))];
    expect(await Promise.all(both.map(nameIn))).toEqual(['n1', 'n1']);
    expect(mapper.map(insert(1))).not.toBeInstanceOf(Promise);
    expect(keys).toEqual([1]);
  });

  test('forgets what is too old, what was not asked for the longest, and errors', async () => {
    const clock = new ManualClock();
    let count = 0;
    const mapper = lookingUp(() => ++count, { max: 2, ttlMs: 100 }, clock);
    const ask = (id: number): Promise<unknown> => nameIn(mapper.map(insert(id)));
    expect([await ask(1), await ask(2), await ask(1), await ask(3), await ask(1), await ask(2)]).toEqual([
      '1',
      '2',
      '1',
      '3',
      '1',
      '4',
    ]);
    clock.advance(100);
    expect(await ask(1)).toBe('5');
    let fails = true;
    const flaky = lookingUp(() => (fails ? Promise.reject(new Error('x')) : Promise.resolve('ok')));
    await expect(flaky.map(insert(1))).rejects.toMatchObject({ code: 'MAPPING_FAILED' });
    fails = false;
    expect(await nameIn(flaky.map(insert(1)))).toBe('ok');
  });

  test('that the module does not have stops the sink', () => {
    expect(() => withHooks({ before: (change, context) => renamed(change, String(context.lookup('x', 1))) })).toThrow(
      expect.objectContaining({ code: 'MAPPING_INVALID' }),
    );
  });
});

test('a module whose own tables are none is refused at the start', () => {
  const start = (hooks: MappingHooks) => () =>
    createMapper({ mapping: {}, sink: 's', hooks: { before: (change) => change, ...hooks } });
  expect(start({ adds: { 'crm.*': { x: 'varchr(3)' } } })).toThrow(
    expect.objectContaining({ code: 'MAPPING_INVALID' }),
  );
  expect(start({ targets: { t: { columns: { id: 'int' }, key: ['nr'] } } })).toThrow(
    'a target of the hooks has no column "nr" for its key',
  );
});
