import { beforeAll, expect, test } from 'vitest';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { drain, type ReadOptions } from './source-reading.ts';

describeServers(['mariadb', 'mysql'], 'which tables and columns are read', (server) => {
  beforeAll(async () => {
    await server().query(`
      CREATE DATABASE shop; CREATE DATABASE crm; CREATE DATABASE \`odd.name\`; CREATE DATABASE Shop2;
      CREATE TABLE shop.orders (id INT PRIMARY KEY, secret VARCHAR(9), total INT);
      CREATE TABLE shop.order_lines (id INT, line INT, sku VARCHAR(9), note TEXT, PRIMARY KEY (line, id));
      CREATE TABLE crm.users (id INT PRIMARY KEY, name VARCHAR(9));
      CREATE TABLE \`odd.name\`.\`a*b\` (id INT PRIMARY KEY);
      CREATE TABLE \`odd.name\`.\`axb\` (id INT PRIMARY KEY);
      CREATE TABLE Shop2.orders (id INT PRIMARY KEY);
      INSERT INTO shop.orders VALUES (1, 'sesame', 100);
      INSERT INTO shop.order_lines VALUES (1, 2, 'tea', 'hot');
      INSERT INTO crm.users VALUES (1, 'Ada');
      INSERT INTO \`odd.name\`.\`a*b\` VALUES (1);
      INSERT INTO \`odd.name\`.\`axb\` VALUES (1);
      INSERT INTO Shop2.orders VALUES (1);
      CREATE TABLE mysql.of_a_user (id INT PRIMARY KEY); INSERT INTO mysql.of_a_user VALUES (1)`);
  });

  async function tablesOf(options: ReadOptions): Promise<string[]> {
    const { lines } = await drain(server(), options);
    return [...new Set(lines.filter((line) => line.startsWith('insert ')).map((line) => line.split(' ')[1] ?? ''))];
  }

  const selections: readonly {
    readonly options: ReadOptions;
    readonly path?: string;
    readonly tables: readonly string[];
  }[] = [
    {
      options: {},
      tables: ['shop.orders', 'shop.order_lines', 'crm.users', 'odd.name.a*b', 'odd.name.axb', 'Shop2.orders'],
    },
    { options: {}, path: '/shop', tables: ['shop.orders', 'shop.order_lines'] },
    { options: {}, path: '/odd.name', tables: ['odd.name.a*b', 'odd.name.axb'] },
    { options: { tables: ['shop.*'] }, tables: ['shop.orders', 'shop.order_lines'] },
    { options: { tables: ['shop.orders', 'crm.users'] }, tables: ['shop.orders', 'crm.users'] },
    { options: { tables: ['orders'] }, path: '/shop', tables: ['shop.orders'] },
    { options: { tables: ['order*'] }, path: '/shop', tables: ['shop.orders', 'shop.order_lines'] },
    { options: { tables: ['orders'] }, tables: ['shop.orders', 'Shop2.orders'] },
    { options: { tables: ['*.orders'] }, tables: ['shop.orders', 'Shop2.orders'] },
    { options: { tables: ['/^(shop|crm)\\.(orders|users)$/'] }, tables: ['shop.orders', 'crm.users'] },
    { options: { tables: ['/^shop/i'], exclude: ['shop.order_lines'] }, tables: ['shop.orders', 'Shop2.orders'] },
    { options: { exclude: ['shop.*', '/odd/'] }, tables: ['crm.users', 'Shop2.orders'] },
    { options: { tables: ['`odd.name`.*'] }, tables: ['odd.name.a*b', 'odd.name.axb'] },
    { options: { tables: ['`odd.name`.`a*b`'] }, tables: ['odd.name.a*b'] },
    { options: { tables: ['mysql.of_a_user'] }, tables: ['mysql.of_a_user'] },
    { options: { tables: ['nothing.*'] }, tables: [] },
  ];

  test.each(
    selections.map((selection) => ({
      ...selection,
      name: JSON.stringify({ ...selection.options, path: selection.path }),
    })),
  )('$name', async ({ options, path, tables }) => {
    expect(await tablesOf({ ...options, url: `${server().url}${path ?? ''}` })).toEqual(tables);
  });

  test('columns that nobody asks for are absent from the rows; the key is known all the same', async () => {
    const source = new MysqlSource({
      url: `${server().url}/shop`,
      from: 'earliest',
      until: 'now',
      columns: { orders: ['total'], 'order_*': ['note', 'sku'] },
    });
    const seen: unknown[] = [];
    for await (const { parts } of source.batches()) {
      for (const entry of parts.flatMap(({ entries }) => entries)) {
        if (entry.type !== 'rows') continue;
        seen.push(...entry.changes().map(({ key, after }) => ({ key, after })), entry.keys());
      }
    }
    expect(seen).toEqual([
      { key: { id: 1 }, after: { total: 100 } },
      [1],
      { key: { line: 2, id: 1 }, after: { sku: 'tea', note: 'hot' } },
      [[2, 1]],
    ]);
  });

  test('a column that does not exist stops the source with the names of those that do', async () => {
    await expect(
      drain(server(), { tables: ['shop.orders'], columns: { 'shop.orders': ['totl'] } }),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('totl'),
      hint: expect.stringContaining('total'),
    });
  });

  test.each(['a.b.c', '', '/(/', 'shop.'])('the pattern "%s" is refused before anything is opened', (pattern) => {
    expect(() => new MysqlSource({ url: 'mysql://nowhere.invalid', tables: [pattern] })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});
