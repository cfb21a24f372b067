import { afterAll, describe, test } from 'vitest';
import type { Row } from '../../../src/core/change.ts';
import { MysqlSink } from '../../../src/sinks/mysql/mysql-sink.ts';
import { sinkConformance, type SinkHarness } from '../../../src/testing/sink-conformance.ts';
import { FaultProxy } from '../../support/fault-proxy.ts';
import { describeServers } from '../../support/servers/describe-server.ts';

describeServers(['mariadb', 'mysql'], 'the MySQL sink keeps the contract of a sink', (server) => {
  let tables = 0;
  let proxy: FaultProxy | null = null;
  afterAll(() => proxy?.[Symbol.asyncDispose]());
  const harness: SinkHarness = {
    async create() {
      proxy ??= await FaultProxy.start({ host: server().host, port: server().port });
      return new MysqlSink({ url: `${proxy.url()}/conformance` });
    },
    freshName: () => `conformance.t${++tables}`,
    rows: ({ table }) => server().query<Row>(`SELECT * FROM ${table.database}.${table.name}`),
    takesPatches: true,
    unfitNote: 'much too long a note '.repeat(10),
    // The first answer, to the rows, passes; the one to COMMIT does not.
    async loseNextAnswer() {
      proxy?.connections.at(-1)?.loseAnswerTo('COMMIT');
    },
  };
  describe('as a list of checks', () => {
    for (const check of sinkConformance(harness)) test(`the MySQL sink: ${check.name}`, () => check.run());
  });
});
