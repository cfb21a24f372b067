import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

test('those who wait get their turns one by one, in the order in which they came', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const work = async (name: string): Promise<void> => {
    for (let at = 0; at < 3; at++) {
      await turns.next();
      order.push(name);
    }
  };
  await Promise.all([work('a'), work('b'), work('c')]);
  expect(order.join('')).toBe('abcabcabc');
});

test('between two turns the event loop goes round, so that whoever has little to do is not held up', async () => {
  const turns = new Turns();
  let rounds = 0;
  let goOn = true;
  const count = (): void => {
    rounds++;
    if (goOn) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(Array.from({ length: 20 }, () => turns.next()));
  goOn = false;
  expect(rounds).toBeGreaterThanOrEqual(19);
});
