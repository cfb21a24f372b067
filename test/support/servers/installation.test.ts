import { expect, test } from 'vitest';
import { shareFoldersIn } from './installation.ts';

test('where the scripts of an installed server may be, whether or not it says where its messages are', () => {
  const mariadb = `
basedir                                                      /usr/
character-sets-dir                                           /usr/share/mariadb/charsets/
lc-messages-dir                                              (No default value)
`;
  expect(shareFoldersIn(mariadb)).toEqual([
    '/usr/share/mariadb',
    '/usr/share/mariadb',
    '/usr/share/mysql',
    '/usr/share',
  ]);
  const own = `
basedir                       /opt/my sql
character-sets-dir            (No default value)
lc-messages-dir               /opt/my sql/messages/
`;
  expect(shareFoldersIn(own)).toEqual([
    '/opt/my sql/messages',
    '/opt/my sql/share/mariadb',
    '/opt/my sql/share/mysql',
    '/opt/my sql/share',
  ]);
  expect(shareFoldersIn('')[0]).toBe('/usr/share/mariadb');
});
