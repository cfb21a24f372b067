import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Gno } from './gno.ts';
import { GtidTrail } from './gtid-trail.ts';
import { MysqlGtidSet } from './mysql-gtid-set.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '4350f323-7565-4e59-8763-4b1b83a0ce0e';

test('every trail of a stream still tells the set as it was then', () => {
  const gtid = fc.tuple(fc.constantFrom(A, B, `${A}:tag`), fc.integer({ min: 1, max: 30 }));
  fc.assert(
    fc.property(fc.array(gtid, { maxLength: 40 }), (gtids) => {
      const base = MysqlGtidSet.parse(`${A}:10-12`);
      const trails = [GtidTrail.from(base)];
      const sets = [base];
      for (const [source, gno] of gtids) {
        trails.push((trails.at(-1) ?? GtidTrail.from(base)).add(source, gno));
        sets.push((sets.at(-1) ?? base).union(MysqlGtidSet.of([{ source, first: gno, last: gno }])));
      }
      expect(trails.map(String)).toEqual(sets.map(String));
    }),
  );
});

test('a stream that jumps between sources and numbers for ever stays exact when runs are folded into the base', () => {
  let trail = GtidTrail.from(MysqlGtidSet.EMPTY);
  const held: GtidTrail[] = [];
  for (let i = 1; i <= 5000; i++) {
    trail = trail.add(i % 2 === 0 ? A : B, i);
    if (i % 1000 === 0) held.push(trail);
  }
  expect(trail.toSet().intervals(A)).toHaveLength(5000);
  expect(held[0]?.toSet().intervals(B).at(-1)).toBe(999);
  expect(held.map((each) => each.toSet().intervals(A).length)).toEqual([1000, 2000, 3000, 4000, 5000]);
});

test('consecutive numbers stay one run across the limit of exact doubles', () => {
  let trail = GtidTrail.from(MysqlGtidSet.EMPTY);
  const numbers: Gno[] = [9007199254740990, 9007199254740991, 9007199254740992n, 9007199254740993n];
  for (const gno of numbers) trail = trail.add(A, gno);
  expect(trail.toString()).toBe(`${A}:9007199254740990-9007199254740993`);
});

test('a held trail keeps no later one alive, and of the earlier ones only some', async () => {
  // Two sources in turn: the worst case, a run for each GTID.
  const refs: WeakRef<GtidTrail>[] = [];
  let trail = GtidTrail.from(MysqlGtidSet.EMPTY);
  for (let i = 1; i <= 5000; i++) {
    trail = trail.add(i % 2 === 0 ? A : B, i);
    refs.push(new WeakRef(trail));
    if (i === 2500) held = trail;
  }
  trail = GtidTrail.from(MysqlGtidSet.EMPTY);
  await collectGarbage();
  const alive = refs.flatMap((ref, i) => (ref.deref() === undefined ? [] : [i + 1]));
  expect(Math.max(...alive)).toBe(2500);
  expect(alive.length).toBeLessThanOrEqual(1024);
  expect(held?.toSet().intervals(A).at(-1)).toBe(2500);
});

let held: GtidTrail | null = null;

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await nextTurn(); // What was created or looked at in this turn of the event loop stays alive until its end.
  collect();
}
