import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestServer } from '../../support/servers/test-server.ts';
import { describeServer, describeServers } from '../../support/servers/describe-server.ts';
import { drain, inDatabase, linesOf, LiveReader, run } from './source-reading.ts';

const ROWS = ['CREATE TABLE kv (id INT PRIMARY KEY, v LONGTEXT)', "INSERT INTO kv VALUES (1, 'a')"];
const LINES = [`schema kv ${ROWS[0]}`, 'insert kv {"id":1,"v":"a"}'];

/** A user with what reading takes and this password. */
async function createUser(
  server: TestServer,
  name: string,
  { password, rest = '' }: { password: string; rest?: string },
): Promise<void> {
  const grants =
    server.flavour === 'mariadb'
      ? 'SELECT, REPLICATION SLAVE, BINLOG MONITOR'
      : 'SELECT, REPLICATION SLAVE, REPLICATION CLIENT';
  for (const host of ['%', 'localhost']) {
    await server.query(`CREATE USER ?@'${host}' IDENTIFIED BY ? ${rest}`, [name, password]);
    await server.query(`GRANT ${grants} ON *.* TO ?@'${host}'`, [name]);
  }
}

describeServers(
  ['mariadb', 'mysql'],
  'connecting',
  (server) => {
    const AWKWARD = 'p@ss/w:ö?rd%25 #1&=\'"\\🔑';

    test('users and passwords of any characters, percent-encoded', async () => {
      const database = await inDatabase(server(), ROWS);
      await createUser(server(), 'käse:@/?', { password: AWKWARD });
      const authority = `${encodeURIComponent('käse:@/?')}:${encodeURIComponent(AWKWARD)}@${server().host}:${server().port}`;
      // The first one proves the password in full, the second by what the server remembers of it.
      for (let i = 0; i < 2; i++) {
        expect(await linesOf(server(), database, { url: `mysql://${authority}/${database}` })).toEqual(LINES);
      }
    });

    test('a wrong password is refused without being shown', async () => {
      await createUser(server(), 'someone', { password: 'right' });
      const url = `mysql://someone:wr0ng-secret@${server().host}:${server().port}`;
      const error: unknown = await drain(server(), { url }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'ACCESS_DENIED', retry: 'operator' });
      expect(JSON.stringify(error) + String(error)).not.toContain('wr0ng-secret');
    });

    test('a Unix socket', async () => {
      const database = await inDatabase(server(), ROWS);
      const socket = encodeURIComponent(join(server().dataDir ?? '', 'server.sock'));
      expect(await linesOf(server(), database, { url: `mysql://root@localhost/${database}?socket=${socket}` })).toEqual(
        LINES,
      );
      await createUser(server(), 'local', { password: AWKWARD });
      const url = `mysql://local:${encodeURIComponent(AWKWARD)}@localhost/${database}?socket=${socket}`;
      await using reader = await LiveReader.start(server(), { url });
      await run(server(), database, ["INSERT INTO kv VALUES (2, REPEAT('b', 3000000))"]);
      expect((await reader.until(1))[0]).toHaveLength(`insert ${database}.kv {"id":2,"v":""}`.length + 3_000_000);
    });

    test('a socket that is not there says so', async () => {
      await expect(
        drain(server(), { url: 'mysql://root@localhost/?socket=/nowhere/server.sock' }),
      ).rejects.toMatchObject({
        code: 'CONNECTION_FAILED',
        message: expect.stringContaining('/nowhere/server.sock'),
      });
    });
  },
  { owned: true },
);

const OPENSSL = 'openssl';
const hasOpenssl = spawnSync(OPENSSL, ['version']).status === 0;
if (!hasOpenssl) process.stderr.write('skipping the TLS tests with certificates of our own: there is no openssl\n');

describe.runIf(hasOpenssl)('TLS with certificates of our own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-tls-'));
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): void => {
    execFileSync(OPENSSL, args, { cwd: folder, stdio: 'ignore' });
  };

  /** A key and a certificate that one of our authorities vouches for. */
  function certificate(name: string, { authority, extension }: { authority: string; extension: string }): void {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}-key.pem`,
      '-out',
      `${name}.csr`,
      '-addext',
      extension,
    );
    openssl(
      ...[
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        `${authority}.pem`,
        '-CAkey',
        `${authority}-key.pem`,
        '-CAcreateserial',
      ],
      ...['-copy_extensions', 'copy', '-days', '30', '-out', `${name}.pem`],
    );
  }

  for (const authority of ['authority', 'stranger']) {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '30',
      '-subj',
      `/CN=${authority}`,
      '-keyout',
      `${authority}-key.pem`,
      '-out',
      `${authority}.pem`,
    );
  }
  certificate('server', { authority: 'authority', extension: 'subjectAltName=IP:127.0.0.1' });
  // Node's last resort for a server without a name, which must not be taken for one at an address.
  certificate('localhost', { authority: 'authority', extension: 'subjectAltName=DNS:localhost' });
  certificate('client', { authority: 'authority', extension: 'extendedKeyUsage=clientAuth' });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  describeServers(
    ['mariadb', 'mysql'],
    'the stream is encrypted',
    (server) => {
      let database: string;
      beforeAll(async () => {
        database = await inDatabase(server(), ROWS);
        await createUser(server(), 'secure', { password: 'p', rest: 'REQUIRE SSL' });
        await createUser(server(), 'certified', { password: 'p', rest: 'REQUIRE X509' });
      });
      const url = (user: string, parameters: string, host = '127.0.0.1'): string =>
        `mysql://${user}:p@${host}:${server().port}/${database}?${parameters}`;
      const code = async (text: string): Promise<unknown> =>
        drain(server(), { url: text }).then(
          () => 'read',
          (error: unknown) => (error as { code: string }).code,
        );

      test('tls=on encrypts without asking who is there', async () => {
        expect(await linesOf(server(), database, { url: url('secure', 'tls=on') })).toEqual(LINES);
        expect(await code(url('secure', 'tls=off'))).toBe('ACCESS_DENIED');
      });

      test('tls=verify takes a server that the authority vouches for, and no other', async () => {
        const own = `tls=verify&tls-ca=${file('authority.pem')}`;
        expect(await linesOf(server(), database, { url: url('secure', own) })).toEqual(LINES);
        expect(await linesOf(server(), database, { url: url('secure', `tls-ca=${file('authority.pem')}`) })).toEqual(
          LINES,
        );
        expect(await code(url('secure', `tls=verify&tls-ca=${file('stranger.pem')}`))).toBe('TLS_FAILED');
        expect(await code(url('secure', 'tls=verify'))).toBe('TLS_FAILED');
      });

      test('tls=verify refuses a server of another name', async () => {
        expect(await code(url('secure', `tls=verify&tls-ca=${file('authority.pem')}`, 'localhost'))).toBe('TLS_FAILED');
      });

      test('a client certificate', async () => {
        const own = `tls-ca=${file('authority.pem')}&tls-cert=${file('client.pem')}&tls-key=${file('client-key.pem')}`;
        expect(await linesOf(server(), database, { url: url('certified', own) })).toEqual(LINES);
        expect(await code(url('certified', `tls-ca=${file('authority.pem')}`))).toBe('ACCESS_DENIED');
        expect(await code(url('certified', `tls-ca=${file('missing.pem')}`))).toBe('CONFIG_INVALID');
      });

      test('large rows and many small ones come through it, live', async () => {
        await using reader = await LiveReader.start(server(), { url: url('secure', 'tls=on') });
        const long = 'x'.repeat(200);
        await run(server(), database, [
          "INSERT INTO kv VALUES (100, REPEAT('é', 4000000))",
          `INSERT INTO kv VALUES ${Array.from({ length: 5000 }, (_, i) => `(${1000 + i}, '${long}')`).join(',')}`,
        ]);
        const lines = await reader.until(5001);
        expect(lines[0]).toHaveLength(`insert ${database}.kv {"id":100,"v":""}`.length + 4_000_000);
        expect(lines.slice(1)).toEqual(
          Array.from({ length: 5000 }, (_, i) => `insert ${database}.kv {"id":${1000 + i},"v":"${long}"}`),
        );
      });
    },
    {
      options: [
        `--ssl-ca=${file('authority.pem')}`,
        `--ssl-cert=${file('server.pem')}`,
        `--ssl-key=${file('server-key.pem')}`,
      ],
    },
  );

  describeServer(
    'mariadb',
    'a server whose certificate is made out to localhost',
    (server) => {
      test('is taken under that name, and refused under its address', async () => {
        const parameters = `tls=verify&tls-ca=${file('authority.pem')}`;
        const { port } = server();
        expect(
          await drain(server(), { url: `mysql://root@localhost:${port}/?${parameters}`, from: 'now' }),
        ).toBeDefined();
        await expect(drain(server(), { url: `mysql://root@127.0.0.1:${port}/?${parameters}` })).rejects.toMatchObject({
          code: 'TLS_FAILED',
        });
      });
    },
    {
      options: [
        `--ssl-ca=${file('authority.pem')}`,
        `--ssl-cert=${file('localhost.pem')}`,
        `--ssl-key=${file('localhost-key.pem')}`,
      ],
    },
  );
});

describeServer(
  'mysql',
  'the certificates that MySQL makes for itself',
  (server) => {
    test('tls=on works with them; tls=verify tells that they name no host', async () => {
      const database = await inDatabase(server(), ROWS);
      expect(await linesOf(server(), database, { url: `${server().url}/${database}?tls=on` })).toEqual(LINES);
      const ca = join(server().dataDir ?? '', 'ca.pem');
      await expect(
        drain(server(), { url: `${server().url}/${database}?tls=verify&tls-ca=${ca}` }),
      ).rejects.toMatchObject({
        code: 'TLS_FAILED',
        retry: 'operator',
      });
    });
  },
  { owned: true },
);

describeServer(
  'mariadb',
  'a server without certificates',
  (server) => {
    test('tls=on says that it has none', async () => {
      await expect(drain(server(), { url: `${server().url}/?tls=on` })).rejects.toMatchObject({ code: 'TLS_FAILED' });
    });

    test('a file that is no certificate is an error of the configuration or of TLS, at once', async () => {
      const path = join(server().dataDir ?? '', 'no-certificate.pem');
      await writeFile(path, 'nothing of the kind');
      const error = await drain(server(), { url: `${server().url}/?tls-ca=${path}` }).catch(
        (thrown: unknown) => thrown,
      );
      expect(['TLS_FAILED', 'CONFIG_INVALID']).toContain((error as { code: string }).code);
    });
  },
  { owned: true, options: ['--skip-ssl'] },
);
