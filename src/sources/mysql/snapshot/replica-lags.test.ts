import { expect, test } from 'vitest';
import { lagOf } from './replica-lags.ts';

const mysql = { Replica_IO_Running: 'Yes', Replica_SQL_Running: 'Yes', Seconds_Behind_Source: 7 };
const mariadb = { Slave_IO_Running: 'Yes', Slave_SQL_Running: 'Yes', Seconds_Behind_Master: '7' };
const STOPPED = { seconds: null, problem: 'its replication does not run' };

test.each([
  ['MySQL', mysql],
  ['MariaDB, and MySQL before 8.0.22', mariadb],
])('the lag is what the server says: %s', (_name, row) => {
  expect(lagOf([row])).toEqual({ seconds: 7, problem: null });
});

test.each([
  [{ ...mysql, Seconds_Behind_Source: null }],
  [{ ...mysql, Replica_SQL_Running: 'No' }],
  [{ ...mysql, Replica_IO_Running: 'Connecting' }],
  [{ ...mariadb, Seconds_Behind_Master: null }],
  [{ ...mariadb, Slave_SQL_Running: 'No' }],
  [{ ...mariadb, Slave_IO_Running: 'Preparing' }],
  // A server that calls its columns otherwise.
  [{}],
])('what does not run, or is not known, is not up to date: %j', (row) => {
  expect(lagOf([row])).toEqual(STOPPED);
});

test('of several the worst counts', () => {
  expect(lagOf([mysql, { ...mysql, Seconds_Behind_Source: 70 }, mysql])).toEqual({ seconds: 70, problem: null });
  expect(lagOf([mysql, { ...mysql, Seconds_Behind_Source: null }])).toEqual(STOPPED);
});

test('a server that replicates none is said to be so', () => {
  expect(lagOf([])).toEqual({ seconds: null, problem: 'it is no replica' });
});
