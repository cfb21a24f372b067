import { expect, test } from 'vitest';
import { networkError } from './relay-errors.ts';

test.each([
  ['HPE_INVALID_CONSTANT', 'PROTOCOL_VIOLATION'],
  ['HPE_HEADER_OVERFLOW', 'PROTOCOL_VIOLATION'],
  ['HPE_INVALID_EOF_STATE', 'CONNECTION_FAILED'],
  ['ECONNREFUSED', 'CONNECTION_FAILED'],
  ['ENOTFOUND', 'CONNECTION_FAILED'],
  ['EPROTO', 'TLS_FAILED'],
])('what Node calls %s when connecting is %s', (code, expected) => {
  const error = Object.assign(new Error('as Node says it'), { code });
  expect(networkError(error, 'the relay', 'connecting').code).toBe(expected);
});
