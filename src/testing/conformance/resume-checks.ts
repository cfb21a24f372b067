import assert from 'node:assert/strict';
import type { ConformanceCheck } from '../source-conformance.ts';
import type { ConformanceRig } from './rig.ts';

/** Positions: where they lie, and what comes when reading resumes there. */
export function resumeChecks(rig: ConformanceRig): readonly ConformanceCheck[] {
  const lines = async (from: string, count: number): Promise<readonly (readonly string[])[]> =>
    rig.reading(from, async (reading) => (await reading.transactions(count)).map((transaction) => transaction.lines));

  return [
    {
      name: "reading that resumes at a transaction's end yields everything after it and nothing before it",
      run: async () => {
        const { written, seen } = await rig.reading(null, async (reading) => {
          const all = [await rig.writeMixed(), await rig.writeMixed(1), await rig.writeLarge(), await rig.writeMixed()];
          return {
            written: all.map((transaction) => transaction.lines),
            seen: [...(await reading.transactions(all.length))],
          };
        });
        for (const [i, { end }] of seen.entries()) {
          const rest = written.slice(i + 1);
          if (rest.length === 0) continue;
          // oxlint-disable-next-line no-await-in-loop -- they share one store
          const after = await lines(String(end), rest.length);
          assert.deepEqual(after, rest, `resumed at the end of transaction ${i + 1}`);
        }
      },
    },
    {
      name: "reading that resumes at a transaction's start yields that transaction again, whole",
      run: async () => {
        const { written, seen } = await rig.reading(null, async (reading) => {
          const all = [await rig.writeMixed(), await rig.writeLarge(), await rig.writeMixed(1)];
          return {
            written: all.map((transaction) => transaction.lines),
            seen: [...(await reading.transactions(all.length))],
          };
        });
        for (const [i, { start }] of seen.entries()) {
          const rest = written.slice(i);
          // oxlint-disable-next-line no-await-in-loop
          assert.deepEqual(await lines(start, rest.length), rest, `resumed at the start of transaction ${i + 1}`);
        }
      },
    },
    {
      name: 'reading that resumes at the position of any batch misses nothing, also when the batch ends inside a transaction',
      run: async () => {
        const { written, positions } = await rig.reading(null, async (reading) => {
          const all = [await rig.writeMixed(), await rig.writeLarge(), await rig.writeMixed()];
          const at: { readonly position: string; readonly complete: number }[] = [];
          while (reading.complete.length < all.length) {
            // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
            const batch = await reading.next();
            at.push({ position: String(batch?.position), complete: reading.complete.length });
          }
          return { written: all.map((transaction) => transaction.lines), positions: at };
        });
        const tried = new Set<string>();
        for (const { position, complete } of positions) {
          const rest = written.slice(complete);
          if (rest.length === 0 || tried.has(position)) continue;
          tried.add(position);
          // oxlint-disable-next-line no-await-in-loop
          const after = await lines(position, rest.length);
          assert.deepEqual(after, rest, `resumed at a batch's position behind transaction ${complete}`);
        }
      },
    },
    {
      name: 'the position of a source that was closed is one to resume from',
      run: async () => {
        const { rest, position } = await rig.reading(null, async (reading, source) => {
          await rig.writeMixed();
          await reading.transactions(1);
          const next = reading.next();
          const second = await rig.writeMixed();
          await next;
          await source.close();
          return { rest: second.lines, position: String(source.position) };
        });
        assert.deepEqual(await lines(position, 1), [rest]);
      },
    },
  ];
}
