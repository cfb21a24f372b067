import { describe, expect, test } from 'vitest';
import { Grants } from './grants.ts';
import { patternTarget } from './pattern-target.ts';

describe('grants', () => {
  test('global privileges are found in whatever spacing and case of either server, and ALL PRIVILEGES has them all', () => {
    const mysql = new Grants([
      'GRANT SELECT, REPLICATION SLAVE ON *.* TO `t`@`%`',
      'GRANT BACKUP_ADMIN,BINLOG_ADMIN ON *.* TO `t`@`%` WITH GRANT OPTION',
      'GRANT PROXY ON ``@`` TO `t`@`%`',
      'GRANT `reader`@`%` TO `t`@`%`',
    ]);
    expect(mysql.hasGlobal('REPLICATION SLAVE')).toBe(true);
    expect(mysql.hasGlobal('BINLOG_ADMIN')).toBe(true);
    expect(mysql.hasGlobal('REPLICATION CLIENT', 'SUPER')).toBe(false);
    expect(new Grants(['GRANT ALL PRIVILEGES ON *.* TO `root`@`127.0.0.1`']).hasGlobal('BINLOG MONITOR')).toBe(true);
    expect(new Grants(['GRANT REPLICATION SLAVE ON *.* TO PUBLIC']).hasGlobal('REPLICATION SLAVE')).toBe(true);
  });

  test('SELECT on a database counts for its tables, with % and _ in its name as the patterns they are', () => {
    const grants = new Grants(['GRANT SELECT ON `sh_p%`.* TO `t`@`%`', 'GRANT ALL PRIVILEGES ON `a\\_b`.* TO `t`@`%`']);
    expect(grants.selectsDatabase('shop')).toBe(true);
    expect(grants.selectsDatabase('ship_2')).toBe(true);
    expect(grants.selectsDatabase('sop')).toBe(false);
    expect(grants.selectsTable('a_b', 't')).toBe(true);
    expect(grants.selectsTable('axb', 't')).toBe(false);
    expect(grants.selectsEverything).toBe(false);
  });

  test('SELECT on single columns is not SELECT on the table, and other privileges are not either', () => {
    const grants = new Grants([
      'GRANT SELECT (`id`, `a,b)`), INSERT ON `shop`.`orders` TO `t`@`%`',
      'GRANT SELECT, UPDATE (`x`) ON `shop`.`we``ird` TO `t`@`%`',
      'GRANT INSERT ON `crm`.* TO `t`@`%`',
    ]);
    expect(grants.selectsTable('shop', 'orders')).toBe(false);
    expect(grants.selectsTable('shop', 'we`ird')).toBe(true);
    expect(grants.selectsTable('crm', 'users')).toBe(false);
  });

  test('with partial_revokes a revoked database is not readable, and a granted name means itself', () => {
    const lines = ['GRANT SELECT ON *.* TO `t`@`%`', 'REVOKE SELECT ON `a_b`.* FROM `t`@`%`'];
    const grants = new Grants(lines, { partialRevokes: true });
    expect(grants.selectsDatabase('a_b')).toBe(false);
    expect(grants.selectsDatabase('axb')).toBe(true);
  });
});

describe('what a pattern needs SELECT on', () => {
  const context = { database: 'crm', partialRevokes: false };

  test.each([
    ['shop.orders', '`shop`.`orders`', 'shop'],
    ['shop.*', '`shop`.*', 'shop'],
    ['my_shop.orders_*', '`my\\_shop`.*', 'my_shop'],
    ['users', '`crm`.`users`', 'crm'],
    ['`a.b`.`c*`', '`a.b`.`c*`', 'a.b'],
    ['*.orders', '*.*', null],
    ['sh*.orders', '*.*', null],
    ['/^shop\\./', '*.*', null],
  ])('%s: %s', (pattern, target, database) => {
    expect(patternTarget(pattern, context)).toMatchObject({ target, database });
  });

  test('a bare name without a database in the URL may be in any, and partial_revokes takes names as they are', () => {
    expect(patternTarget('users', { database: null, partialRevokes: false }).target).toBe('*.*');
    expect(patternTarget('my_shop.*', { database: null, partialRevokes: true }).target).toBe('`my_shop`.*');
  });
});
