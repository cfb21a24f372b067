import { parseVersion } from '../../../src/drivers/mysql/server-version.ts';
import type { TestServer } from '../servers/test-server.ts';
import type { ServerFacts } from './column-spec.ts';

/** The last second of TIMESTAMP. */
export const SECONDS_2038 = 2_147_483_647;
/** That of MariaDB from 11.5 on. */
const SECONDS_2106 = 4_294_967_295;

export async function serverFacts(server: TestServer): Promise<ServerFacts> {
  const listed = await server.query<{ name: string; bytesMax: number }>(
    'SELECT CHARACTER_SET_NAME AS name, MAXLEN AS bytesMax FROM information_schema.CHARACTER_SETS',
  );
  const charsets = listed.filter(({ name }) => name !== 'binary');
  // MariaDB's encoding of names as file names: not listed, but a column can have it.
  if (server.flavour === 'mariadb') charsets.push({ name: 'filename', bytesMax: 5 });
  const version = parseVersion(server.version);
  return {
    flavour: server.flavour,
    version,
    timestampMax: server.flavour === 'mariadb' && version >= 110_500 ? SECONDS_2106 : SECONDS_2038,
    vectors: 'any',
    charsets,
    members: { astral: true, lossy: true },
  };
}
