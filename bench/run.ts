import { runDecodeBench } from './decode/decode-bench.ts';
import { runLogBench } from './relay/log-bench.ts';
import { runRelayBench } from './relay/relay-bench.ts';
import { runSinksBench } from './sinks/sinks-bench.ts';
import { runSnapshotBench } from './snapshot/snapshot-bench.ts';

/** Every bench by the name that `npm run bench -- <name>` takes. Resolves to the exit code. */
const BENCHES: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  decode: runDecodeBench,
  relay: runRelayBench,
  log: runLogBench,
  snapshot: runSnapshotBench,
  sinks: runSinksBench,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(
    `usage: npm run bench -- <${Object.keys(BENCHES).join('|')}> [options]; the options are in bench/README.md`,
  );
  process.exitCode = 2;
} else {
  process.exitCode = await bench(args);
}
