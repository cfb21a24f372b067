import { expect, expectTypeOf, test } from 'vitest';
import type { Row } from '../core/change.ts';
import type { ChangeStream, StreamChange } from '../core/consumer.ts';
import { connect } from './connect.ts';

test.each<[object, RegExp]>([
  [{ tokne: 'x' }, /there is no option `tokne`/],
  [{ token: 5 }, /`token` is 5: it takes text/],
  [{ tls: 'ca.pem' }, /`tls` is a text: it takes an object with ca/],
  [{ requestTimeoutMs: '5s' }, /`requestTimeoutMs` is a text: it takes milliseconds/],
  [{ requestTimeoutMs: 0 }, /`requestTimeoutMs` is 0/],
  [{ idleTimeoutMs: Number.POSITIVE_INFINITY }, /`idleTimeoutMs` is Infinity/],
  [{ reconnect: { delayMinMs: 10 } }, /`reconnect` is an object: it takes \{ delayMinMs, delayMaxMs \}/],
  [{ reconnect: { delayMinMs: 10, delayMaxMs: 5 } }, /`reconnect` is an object/],
  [{ verify: 'no' }, /`verify` is "no": it takes true or false/],
])('an option of a client that cannot be is refused by its name: %j', (options, message) => {
  const open = (): unknown => connect('http://127.0.0.1:1', options);
  expect(open).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }));
});

test('no text that was given as an option of a client is shown where it may be a secret', () => {
  const open = (): unknown => connect('http://127.0.0.1:1', { tls: 'secret of mine' } as object);
  expect(open).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret of mine') }));
});

test('a stream without a name is refused', () => {
  const client = connect('http://127.0.0.1:1');
  const name: unknown = undefined;
  for (const each of ['', name]) {
    expect(() => client.stream(each as string)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  }
});

test('rows have the type that the stream was given, and that of any row otherwise', async () => {
  interface Order {
    readonly id: number;
    readonly total: string;
  }
  const client = connect('http://127.0.0.1:1');
  const orders = client.stream<Order>('shop');
  expectTypeOf(orders).toEqualTypeOf<ChangeStream<Order>>();
  expectTypeOf<StreamChange<Order>['after']>().toEqualTypeOf<Order | null>();
  expectTypeOf(client.stream('shop')).toEqualTypeOf<ChangeStream>();
  expectTypeOf<StreamChange['after']>().toEqualTypeOf<Row | null>();
  await client.close();
});
