import { afterEach, describe, expect, test, vi } from 'vitest';
import { TurnAccount, Turns } from './turns.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets the clock stand still but for the work that is done. */
function stoppedClock(): (ms: number) => void {
  let nowMs = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  return (ms) => (nowMs += ms);
}

describe('Turns', () => {
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

  test('however many wait, the event loop goes round after two milliseconds of work', async () => {
    const pass = stoppedClock();
    const turns = new Turns();
    let rounds = 0;
    let goOn = true;
    const count = (): void => {
      rounds++;
      if (goOn) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(Array.from({ length: 20 }, () => turns.next().then(() => pass(1))));
    goOn = false;
    expect(rounds).toBeGreaterThanOrEqual(9);
  });
});

describe('readers that can wait', () => {
  const [tail, other, far] = [{}, {}, {}];

  /** How long the turn after this one lets itself be waited for, in ms. */
  async function pauseOf(turns: Turns, reader: object, usedMs: number): Promise<number> {
    const timer = vi.spyOn(globalThis, 'setTimeout').mockImplementationOnce((done: () => void) => {
      done();
      return 0 as never;
    });
    await turns.nextWaiting(reader, usedMs);
    const [call] = timer.mock.calls;
    timer.mockRestore();
    return call === undefined ? 0 : (call[1] as number);
  }

  test('have a tenth of the time together while another one has news', async () => {
    const pass = stoppedClock();
    const turns = new Turns();
    turns.hasNews(tail);
    expect(await pauseOf(turns, far, 2)).toBeCloseTo(18);
    pass(18 + 2);
    expect(await pauseOf(turns, far, 2)).toBeCloseTo(18);
    // Another one that can wait as well comes behind it.
    expect(await pauseOf(turns, other, 3)).toBeCloseTo(18 + 30);
  });

  test('do not wait where nobody else had news for a second', async () => {
    const pass = stoppedClock();
    const turns = new Turns();
    expect(await pauseOf(turns, far, 2)).toBe(0);
    turns.hasNews(tail);
    pass(999);
    expect(await pauseOf(turns, far, 2)).toBeGreaterThan(0);
    pass(1);
    expect(await pauseOf(turns, far, 2)).toBe(0);
  });

  test('do not wait for what was news to themselves', async () => {
    stoppedClock();
    const turns = new Turns();
    turns.hasNews(far);
    turns.hasNews(far);
    expect(await pauseOf(turns, far, 2)).toBe(0);
    turns.hasNews(tail);
    turns.hasNews(far);
    expect(await pauseOf(turns, far, 2)).toBeGreaterThan(0);
  });

  test('wait a second at most, however many they are', async () => {
    stoppedClock();
    const turns = new Turns();
    turns.hasNews(tail);
    let longest = 0;
    for (let i = 0; i < 300; i++) longest = Math.max(longest, await pauseOf(turns, far, 2));
    expect(longest).toBe(1000);
  });
});

describe('TurnAccount', () => {
  test('a reader that works without a pause has used up its turn after a millisecond', async () => {
    const pass = stoppedClock();
    const account = new TurnAccount(new Turns());
    for (let chunk = 0; chunk < 4; chunk++) {
      expect(account.isUsedUp).toBe(false);
      account.begin();
      pass(0.3);
      account.pause();
    }
    expect(account.isUsedUp).toBe(true);
    await account.next();
    expect(account.isUsedUp).toBe(false);
  });

  test('work that goes on for a millisecond is over before it pauses', () => {
    const pass = stoppedClock();
    const account = new TurnAccount(new Turns());
    account.begin();
    pass(0.9);
    expect(account.isOver).toBe(false);
    pass(0.1);
    expect(account.isOver).toBe(true);
  });

  test('a reader that mostly waits never stands in line, however long it reads', () => {
    const pass = stoppedClock();
    const account = new TurnAccount(new Turns());
    for (let chunk = 0; chunk < 100; chunk++) {
      account.begin();
      pass(0.1);
      account.pause();
      pass(2);
      expect(account.isUsedUp).toBe(false);
    }
  });
});
