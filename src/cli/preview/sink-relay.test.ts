import { expect, test } from 'vitest';
import { testCli } from '../../../test/support/cli-context.ts';
import type { RelaySettings, SinkSettings } from '../../config/config-settings.ts';
import { parseCommandLine } from '../arguments.ts';
import { PREVIEW } from '../commands/preview.ts';
import type { RelayAddress } from '../relay-arguments.ts';
import { relayOfSink } from './sink-relay.ts';

interface World {
  readonly relay?: SinkSettings['relay'];
  readonly http?: RelaySettings['http'];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function addressOf({ relay = null, http = {}, args = [], env = {} }: World): RelayAddress {
  const { context } = testCli({ env });
  return relayOfSink({ relay } as SinkSettings, { http } as RelaySettings, {
    args: parseCommandLine(args, PREVIEW),
    context,
  });
}

test.each([
  ['127.0.0.1', 'http://127.0.0.1:9000'],
  ['0.0.0.0', 'http://127.0.0.1:9000'],
  ['::', 'http://[::1]:9000'],
  ['[::]', 'http://[::1]:9000'],
  ['fd00::7', 'http://[fd00::7]:9000'],
  ['relay.internal', 'http://relay.internal:9000'],
])('the relay of the configuration is reached where it listens: %s', (host, url) => {
  expect(addressOf({ http: { host, port: 9000 } })).toEqual({ url, token: undefined });
});

test('with TLS it is https, and of its tokens the one that may do least is taken', () => {
  const tokens = [
    { token: 'all', role: 'admin' },
    { token: 'some', role: 'read' },
  ] as const;
  const tls = { cert: '', key: '' };
  expect(addressOf({ http: { port: 1, tokens, tls } })).toEqual({ url: 'https://127.0.0.1:1', token: 'some' });
  expect(addressOf({ http: { port: 1, tokens: tokens.slice(0, 1) } }).token).toBe('all');
});

test("a sink's own relay comes before it, and what the command line names before both", () => {
  const relay = { url: 'https://far:8400', token: 'far' };
  expect(addressOf({ relay })).toBe(relay);
  const args = ['--relay', 'http://here:1'];
  expect(addressOf({ relay, args, env: { TIDINGS_TOKEN: 'given' } })).toEqual({ url: 'http://here:1', token: 'given' });
  expect(() => addressOf({ args: ['--relay', 'here'] })).toThrow('"here" is not the address of a relay');
});

test('a relay without a fixed port has to be named', () => {
  expect(() => addressOf({ http: { port: 0 } })).toThrow('the relay of this configuration has no fixed port');
});
