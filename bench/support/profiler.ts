import { writeFile } from 'node:fs/promises';
import { Session, type Profiler } from 'node:inspector/promises';

/** A CPU profile of this process, from `start` to `stop`, written to `path`. */
export function profiledBetween(path: string): { start(): Promise<void>; stop(): Promise<void> } {
  const session = new Session();
  return {
    async start(): Promise<void> {
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: 200 });
      await session.post('Profiler.start');
    },
    async stop(): Promise<void> {
      const { profile }: Profiler.StopReturnType = await session.post('Profiler.stop');
      session.disconnect();
      await writeFile(path, JSON.stringify(profile));
    },
  };
}
