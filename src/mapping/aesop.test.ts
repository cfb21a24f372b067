import { describe, expect, test } from 'vitest';
import { changeOf, rowsOf, shown } from '../../test/support/mapped.ts';
import type { Row } from '../core/change.ts';
import { tableOf } from '../testing/tables.ts';
import type { MappingConfig, RuleConfig } from './mapping-config.ts';

// The cases of Aesop's mapping files (HOCON: ROOT { namespace { "Entity" = [ … ] } }), each as docs/mapping.md writes it here. What they mean there is in its
// mapper: https://github.com/Flipkart/aesop, consumers/client-event-consumer/…/mapper/implementation/MapperType.java

const PERSON = tableOf(
  'crm.person',
  {
    id: { type: 'int', nullable: false },
    firstName: 'varchar',
    lastName: 'varchar',
    birthDate: 'date',
    phone: 'varchar',
    password: 'varchar',
  },
  ['id'],
);
const ROW: Row = {
  id: 7,
  firstName: 'Ada',
  lastName: 'Lovelace',
  birthDate: '1815-12-10',
  phone: '555',
  password: 'secret',
};

function inserted(mapping: MappingConfig, table = PERSON): unknown {
  return shown(rowsOf(mapping, changeOf(table, { after: ROW })));
}

function withRule(rule: RuleConfig): MappingConfig {
  return { tables: { 'crm.person': rule } };
}

describe('of the cases of an Aesop mapping', () => {
  test('an entity that is configured goes where its entry says', () => {
    expect(inserted(withRule({ to: 'warehouse.people' }))).toEqual([
      { to: 'warehouse.people', kind: 'insert', key: { id: 7 }, after: ROW },
    ]);
  });

  test('an entity without an entry goes by its namespace: as it is with mapAll "true", and not with "false"', () => {
    const entries: MappingConfig['tables'] = { 'crm.invoice': { to: 'other.invoice' } };
    expect(inserted({ tables: { ...entries, 'crm.*': {} } })).toEqual([
      { to: 'crm.person', kind: 'insert', key: { id: 7 }, after: ROW },
    ]);
    expect(inserted({ tables: entries })).toEqual([]);
  });

  test('an entity whose namespace has no entry either goes by the root: as it is with mapAll "true", and not with "false"', () => {
    const entries: MappingConfig['tables'] = { 'shop.*': {} };
    expect(inserted({ tables: { ...entries, '*': {} } })).toEqual([
      { to: 'crm.person', kind: 'insert', key: { id: 7 }, after: ROW },
    ]);
    expect(inserted({ tables: entries })).toEqual([]);
  });

  test('the exclusion list of the root names namespaces, that of a namespace entities, that of an entity columns', () => {
    expect(inserted({ tables: { 'crm.*': 'skip', '*': {} } })).toEqual([]);
    expect(inserted({ tables: { 'crm.person': 'skip', 'crm.*': {} } })).toEqual([]);
    expect(inserted(withRule({ exclude: ['password', 'phone'] }))).toEqual([
      {
        to: 'crm.person',
        kind: 'insert',
        key: { id: 7 },
        after: { id: 7, firstName: 'Ada', lastName: 'Lovelace', birthDate: '1815-12-10' },
      },
    ]);
  });

  test('a column of the column map is there though the exclusion list names it', () => {
    expect(inserted(withRule({ exclude: ['p*'], columns: { tel: 'phone' } }))).toMatchObject([
      { after: { tel: '555' } },
    ]);
  });

  test('destinationNamespace and destinationEntity are those of the source where they are left out', () => {
    expect(inserted(withRule({}))).toMatchObject([{ to: 'crm.person' }]);
    expect(inserted(withRule({ to: 'people' }))).toMatchObject([{ to: 'crm.people' }]);
    expect(inserted(withRule({ to: 'warehouse.{table}' }))).toMatchObject([{ to: 'warehouse.person' }]);
  });

  test('mapAll "false", or left out: only the columns of the column map are there', () => {
    expect(inserted(withRule({ include: [], columns: { id: 'id', name: 'firstName' } }))).toMatchObject([
      { after: { id: 7, name: 'Ada' } },
    ]);
  });

  test('mapAll "true": the others come along under their own names', () => {
    expect(inserted(withRule({ columns: { name: 'firstName' } }))).toMatchObject([
      {
        after: { id: 7, name: 'Ada', lastName: 'Lovelace', birthDate: '1815-12-10', phone: '555', password: 'secret' },
      },
    ]);
  });

  test('what Aesop cannot say: columns that no table of the sink, or of a database, passes on', () => {
    const mapping: MappingConfig = {
      exclude: ['password'],
      databases: { crm: { exclude: ['phone'] } },
      tables: { 'crm.person': { exclude: ['birth*'] } },
    };
    expect(inserted(mapping)).toEqual([
      { to: 'crm.person', kind: 'insert', key: { id: 7 }, after: { id: 7, firstName: 'Ada', lastName: 'Lovelace' } },
    ]);
    expect(
      inserted({ ...mapping, databases: { shop: { exclude: ['lastName'] } }, tables: { 'crm.*': {} } }),
    ).toMatchObject([
      { after: { id: 7, firstName: 'Ada', lastName: 'Lovelace', birthDate: '1815-12-10', phone: '555' } },
    ]);
  });

  test('a column map nests: "a.b.c", "list[]", "list[].x"', () => {
    const rule: RuleConfig = {
      include: ['id'],
      columns: {
        'name.first': 'firstName',
        'name.last': 'lastName',
        'born.on.date': 'birthDate',
        'phones[]': 'phone',
        'logins[].secret': 'password',
        'logins[].at': { value: 'home' },
      },
    };
    expect(inserted(withRule(rule))).toMatchObject([
      {
        after: {
          id: 7,
          name: '{"first":"Ada","last":"Lovelace"}',
          born: '{"on":{"date":"1815-12-10"}}',
          phones: '["555"]',
          logins: '[{"secret":"secret","at":"home"}]',
        },
      },
    ]);
  });

  test('two columns that Aesop maps to one "list[]" are its first and second element', () => {
    expect(
      inserted(withRule({ include: ['id'], columns: { 'names[0]': 'firstName', 'names[1]': 'lastName' } })),
    ).toMatchObject([{ after: { id: 7, names: '["Ada","Lovelace"]' } }]);
  });

  test('primaryKeyList is the key of the target', () => {
    expect(inserted(withRule({ key: ['lastName', 'firstName'] }))).toMatchObject([
      { key: { lastName: 'Lovelace', firstName: 'Ada' } },
    ]);
    const rows = rowsOf(withRule({ key: ['lastName', 'firstName'] }), changeOf(PERSON, { after: ROW }));
    expect(rows[0]?.target.table.key.map((index) => rows[0]?.target.table.columns[index]?.name)).toEqual([
      'lastName',
      'firstName',
    ]);
  });

  test('a list of entries sends the row to several destinations', () => {
    const mapping: MappingConfig = {
      tables: {
        'crm.person': [
          { to: 'a.people', include: ['id', 'firstName'] },
          { to: 'b.people', rename: 'snake', exclude: ['password', 'phone'] },
        ],
      },
    };
    expect(inserted(mapping)).toEqual([
      { to: 'a.people', kind: 'insert', key: { id: 7 }, after: { id: 7, firstName: 'Ada' } },
      {
        to: 'b.people',
        kind: 'insert',
        key: { id: 7 },
        after: { id: 7, first_name: 'Ada', last_name: 'Lovelace', birth_date: '1815-12-10' },
      },
    ]);
  });
});
