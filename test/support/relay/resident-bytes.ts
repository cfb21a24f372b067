import { readFileSync } from 'node:fs';

/** Resident memory of a process. Linux only. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  if (match === null) throw new Error(`process ${pid} does not tell its memory`);
  return Number(match[1]) * 1024;
}
