import { readFileSync } from 'node:fs';

/** Resident memory of a process in MB (10^6 bytes). Linux only: NaN elsewhere, and when the process is gone. */
export function residentMegabytes(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return match === null ? Number.NaN : (Number(match[1]) * 1024) / 1e6;
  } catch {
    return Number.NaN;
  }
}
