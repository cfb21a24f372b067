import { expect, test } from 'vitest';
import { readWatchedTables } from '../../../src/sources/mysql/watched-tables.ts';
import { describeServers } from '../../support/servers/describe-server.ts';

describeServers(['mariadb', 'mysql'], 'the tables that a source would watch', (server) => {
  test('are those of its selection, with their columns and keys as they are now', async () => {
    await server().query(`CREATE DATABASE shop; CREATE DATABASE other;
      CREATE TABLE shop.orders (note VARCHAR(20), id INT NOT NULL PRIMARY KEY);
      CREATE TABLE shop.secrets (id INT PRIMARY KEY);
      CREATE TABLE other.things (id INT PRIMARY KEY);
      CREATE VIEW shop.seen AS SELECT * FROM shop.orders;
      ALTER TABLE shop.orders ADD total DECIMAL(8,2)`);
    const tables = await readWatchedTables({ url: server().url, tables: ['shop.*'], exclude: ['*.secrets'] });
    expect(tables).toMatchObject([
      {
        database: 'shop',
        name: 'orders',
        columns: [
          { name: 'note', type: 'varchar' },
          { name: 'id', nullable: false },
          { name: 'total', scale: 2 },
        ],
        key: [1],
      },
    ]);
    // Without a selection: everything but the server's own.
    const names = (await readWatchedTables({ url: server().url })).map(({ database, name }) => `${database}.${name}`);
    expect(names.toSorted()).toEqual(['other.things', 'shop.orders', 'shop.secrets']);
  });
});
