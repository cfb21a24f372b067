/**
 * Records the binlog files under test/fixtures/binlog: starts MariaDB and MySQL, runs the SQL of support/fixture-sql.ts, and copies
 * what the servers wrote. Run it again only to add something: `node scripts/record-fixtures.ts [mariadb|mysql]`.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { startServer } from '../test/support/servers/start-server.ts';
import type { TestServer } from '../test/support/servers/test-server.ts';
import { LOAD_FILE, LOAD_FILE_TEXT, MARIADB_SEGMENTS, MYSQL_SEGMENTS, type Segment } from './support/fixture-sql.ts';

const FIXTURES = join(import.meta.dirname, '..', 'test', 'fixtures', 'binlog');

const only = process.argv[2];
if (only !== 'mysql') await record('mariadb', { folder: 'mariadb-10.11', segments: MARIADB_SEGMENTS });
if (only !== 'mariadb') await record('mysql', { folder: 'mysql-9', segments: MYSQL_SEGMENTS });

async function record(
  flavour: TestServer['flavour'],
  { folder, segments }: { folder: string; segments: readonly Segment[] },
): Promise<void> {
  await using server = await startServer(flavour, { owned: true });
  const { dataDir } = server;
  if (dataDir === null) throw new Error('the server must be our own');
  const directory = join(FIXTURES, folder);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await server.query('CREATE DATABASE fixtures');
  await writeFile(join(dataDir, 'fixtures', LOAD_FILE), LOAD_FILE_TEXT);
  const connection = await server.connection({ database: 'fixtures', multipleStatements: true });
  const recorded: { readonly name: string; readonly segment: Segment }[] = [];
  for (const segment of segments) {
    /* oxlint-disable no-await-in-loop -- one server, one history */
    await run(connection, [...(segment.before ?? []), 'FLUSH BINARY LOGS']);
    recorded.push({ name: await newestBinlog(connection), segment });
    await run(connection, segment.sql);
    /* oxlint-enable no-await-in-loop */
  }
  await connection.end();
  const { version } = server;
  await server.shutdown();
  for (const { name, segment } of recorded) {
    await writeFile(join(directory, segment.file), await readFile(join(dataDir, name)));
  }
  await writeFile(join(directory, 'README.md'), readme(version, segments));
}

async function run(connection: Connection, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    try {
      await connection.query(statement);
    } catch (error) {
      throw new Error(`failed: ${statement}`, { cause: error });
    }
  }
}

async function newestBinlog(connection: Connection): Promise<string> {
  const [rows] = await connection.query<RowDataPacket[]>('SHOW BINARY LOGS');
  return String(rows.at(-1)?.['Log_name']);
}

function readme(version: string, segments: readonly Segment[]): string {
  const parts = segments.map(({ file, shows, before = [], sql }) => {
    const statements = [...before, '-- the file begins', ...sql].join(';\n');
    return `## ${file}\n\n${shows}\n\n\`\`\`sql\n${statements}\n\`\`\`\n`;
  });
  const intro = [
    `# Binlog files of ${version}`,
    'Whole files as the server wrote them, recorded by `scripts/record-fixtures.ts`; this page is made by it too.',
    '`test/support/binlog-file.ts` reads them event by event.',
  ];
  return `${intro.join('\n\n')}\n\n${parts.join('\n')}`;
}
