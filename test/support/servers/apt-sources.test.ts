import { expect, test } from 'vitest';
import { findMainArchive, parseListFile, parseSourcesFile } from './apt-sources.ts';

test('a one-line source yields its mirror, suite, components and keyring, with comments and other types left out', () => {
  const text = `
# deb http://commented.invalid/debian bookworm main
deb-src http://mirror.invalid/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://mirror.invalid/debian/ bookworm main contrib # why
deb http://other.invalid/tools stable main
`;
  expect(parseListFile(text)).toEqual([
    {
      uri: 'http://mirror.invalid/debian',
      suites: ['bookworm'],
      components: ['main', 'contrib'],
      signedBy: '/usr/share/keyrings/a.gpg',
    },
    { uri: 'http://other.invalid/tools', suites: ['stable'], components: ['main'], signedBy: null },
  ]);
});

test('a deb822 source yields one archive per mirror, across continuation lines and comments inside a stanza', () => {
  const text = `Types: deb deb-src
# a remark
URIs: http://one.invalid/debian
 http://two.invalid/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://off.invalid/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://source.invalid/debian
Suites: bookworm
Components: main
`;
  const expected = {
    suites: ['bookworm', 'bookworm-updates'],
    components: ['main'],
    signedBy: '/usr/share/keyrings/debian.gpg',
  };
  expect(parseSourcesFile(text)).toEqual([
    { uri: 'http://one.invalid/debian', ...expected },
    { uri: 'http://two.invalid/debian', ...expected },
  ]);
});

test('the main archive is the one that serves the running release, not the security or a vendor archive', () => {
  const archive = (uri: string, suite: string) => ({ uri, suites: [suite], components: ['main'], signedBy: null });
  const main = archive('http://mirror.invalid/debian', 'bookworm');
  const archives = [archive('http://vendor.invalid', 'stable'), archive('http://s.invalid', 'bookworm-security'), main];
  expect(findMainArchive(archives, 'bookworm')).toBe(main);
  expect(findMainArchive(archives, 'trixie')).toBeNull();
});
