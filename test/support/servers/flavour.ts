/** The kinds of server that tests and the demo can start. */
export type ServerFlavour = 'mariadb' | 'mysql';

interface FlavourFacts {
  readonly label: string;
  /** Names a running server to be used instead of starting one: `mysql://root@127.0.0.1:3306`. */
  readonly urlVariable: string;
  /** Names of the server program, most telling first. */
  readonly programs: readonly string[];
}

export const FLAVOURS: Readonly<Record<ServerFlavour, FlavourFacts>> = {
  mariadb: { label: 'MariaDB', urlVariable: 'TIDINGS_TEST_MARIADB_URL', programs: ['mariadbd', 'mysqld'] },
  mysql: { label: 'MySQL', urlVariable: 'TIDINGS_TEST_MYSQL_URL', programs: ['mysqld'] },
};

/** The URL of a server that the user wants to be used, or null. */
export function configuredUrl(flavour: ServerFlavour): string | null {
  const url = process.env[FLAVOURS[flavour].urlVariable];
  return url === undefined || url === '' ? null : url;
}

/** One line of progress, on stderr so that a program's own output stays clean. */
export function progress(flavour: ServerFlavour, line: string): void {
  process.stderr.write(`[${FLAVOURS[flavour].label}] ${line}\n`);
}
