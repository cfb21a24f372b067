import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

/** One line that says what the figures were measured on, without the machine's name. */
export function machineLine(serverVersion: string): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()[0]?.toFixed(2) ?? '?';
  return (
    `${availableParallelism()} × ${model}, ${gigabytes} GiB, ${type()} ${release()}, Node ${process.versions.node}, ` +
    `${serverVersion}, load average ${load} at the start`
  );
}
