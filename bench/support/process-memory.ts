import { readFileSync } from 'node:fs';

/** Resident memory of a process in MB (10^6 bytes). Linux only: NaN elsewhere, and when the process is gone. */
export function residentMegabytes(pid: number): number {
  return megabytes(pid, /^VmRSS:\s+(\d+) kB$/m);
}

/** The most that it ever had. */
export function peakMegabytes(pid: number): number {
  return megabytes(pid, /^VmHWM:\s+(\d+) kB$/m);
}

function megabytes(pid: number, line: RegExp): number {
  try {
    const match = line.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return match === null ? Number.NaN : (Number(match[1]) * 1024) / 1e6;
  } catch {
    return Number.NaN;
  }
}
