/** Progress goes to stderr, so that stdout holds nothing but the result. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Says what is being done and how long it took; on a terminal the seconds tick. */
export async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startMs = performance.now();
  const seconds = (): string => ((performance.now() - startMs) / 1000).toFixed(1);
  const live = process.stderr.isTTY;
  if (!live) note(`${what} …`);
  const timer = live ? setInterval(() => process.stderr.write(`\r${what} … ${seconds()} s`), 200) : null;
  try {
    return await work();
  } finally {
    if (timer !== null) {
      clearInterval(timer);
      process.stderr.write(`\r${what} … ${seconds()} s\n`);
    }
  }
}
