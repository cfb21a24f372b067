import type { TestServer } from './test-server.ts';

/** Leaves the present binlog file only. One that somebody still reads is not purged: a former connection may take a moment to end. */
export async function purgeBinlogs(server: TestServer): Promise<void> {
  await server.query('FLUSH BINARY LOGS');
  for (;;) {
    const files = await server.query<{ Log_name: string }>('SHOW BINARY LOGS');
    if (files.length === 1) return;
    await server.query(`PURGE BINARY LOGS TO '${files.at(-1)?.Log_name}'`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
