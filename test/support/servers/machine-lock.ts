import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

/**
 * Runs `work` while no other process on this machine holds the lock of the same name.
 *
 * The lock is a listening socket in Linux's abstract namespace: the kernel drops it with its process, however that ends, so there
 * is no stale lock to recognise. Other systems have no such namespace; there the work runs unlocked, and its last step (a rename)
 * decides which of two results stays.
 */
export async function withMachineLock<T>(
  name: string,
  work: () => Promise<T>,
  options: { onWait?: () => void } = {},
): Promise<T> {
  if (process.platform !== 'linux') return await work();
  const release = await acquire(`\0tidings-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`, options);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function acquire(path: string, { onWait }: { onWait?: () => void }): Promise<() => Promise<void>> {
  for (let attempt = 0; ; attempt++) {
    const server = createServer((socket) => socket.destroy());
    try {
      server.listen({ path });
      await once(server, 'listening');
      return async () => {
        server.close();
        await once(server, 'close');
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      if (attempt === 0) onWait?.();
      await sleep(POLL_MS);
    }
  }
}
