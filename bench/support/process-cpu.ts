import { readdirSync, readFileSync } from 'node:fs';

/** CPU that a process has used so far, seen from outside, all threads. */
export interface CpuReading {
  /** utime + stime in seconds. Counts threads that have ended; steps of 10 ms. */
  readonly ticksSeconds: number;
  /** Sum over the threads alive now, in seconds. Steps of nanoseconds; a thread that ends takes its share with it. */
  readonly threadsSeconds: number;
}

/** /proc counts in USER_HZ, which is 100 in every Linux ABI that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Two readings of the same work differ by less than this through rounding alone. */
const ROUNDING_SECONDS = 0.02;

/** Linux only: null where there is no /proc. Throws when the process is gone. */
export function readProcessCpu(pid: number): CpuReading | null {
  if (process.platform !== 'linux') return null;
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the program's name in parentheses, which may hold anything: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) nanoseconds += threadNanoseconds(pid, thread);
  return { ticksSeconds: ticks / TICKS_PER_SECOND, threadsSeconds: nanoseconds / 1e9 };
}

/** CPU seconds between two readings: the fine one, unless threads that ended in between made it miss something. */
export function cpuSecondsBetween(before: CpuReading, after: CpuReading): number {
  const coarse = after.ticksSeconds - before.ticksSeconds;
  const fine = after.threadsSeconds - before.threadsSeconds;
  return Math.abs(coarse - fine) > ROUNDING_SECONDS ? coarse : fine;
}

function threadNanoseconds(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  } catch {
    return 0; // It ended between the listing and the reading; the coarse figure has it.
  }
}
