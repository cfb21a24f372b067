import { parseVersion } from '../../../src/drivers/mysql/server-version.ts';
import type { TestServer } from '../servers/test-server.ts';
import type { ServerFacts } from './column-spec.ts';

export async function serverFacts(server: TestServer): Promise<ServerFacts> {
  const listed = await server.query<{ name: string; bytesMax: number }>(
    'SELECT CHARACTER_SET_NAME AS name, MAXLEN AS bytesMax FROM information_schema.CHARACTER_SETS',
  );
  const charsets = listed.filter(({ name }) => name !== 'binary');
  // MariaDB's encoding of names as file names: not listed, but a column can have it.
  if (server.flavour === 'mariadb') charsets.push({ name: 'filename', bytesMax: 5 });
  return {
    flavour: server.flavour,
    version: parseVersion(server.version),
    charsets,
    members: { astral: true, lossy: true },
  };
}
