import { setTimeout as sleep } from 'node:timers/promises';

/** A stream of a relay. */
export interface StreamAddress {
  /** The relay's. */
  readonly url: string;
  readonly stream: string;
}

export interface SnapshotAnswer {
  readonly id: number;
  readonly state: string;
  readonly rows: number;
}

/** One snapshot of the table, from the request until it is done. */
export async function runSnapshot(
  address: StreamAddress,
  table: string,
): Promise<{ readonly seconds: number; readonly rows: number }> {
  const startMs = performance.now();
  const { id } = await startSnapshot(address, table);
  for (;;) {
    const { state, rows } = await snapshotState(address, id);
    if (state === 'done') return { seconds: (performance.now() - startMs) / 1000, rows };
    if (state !== 'running') throw new Error(`the snapshot is ${state}`);
    await sleep(20);
  }
}

export async function startSnapshot(address: StreamAddress, table: string): Promise<SnapshotAnswer> {
  const response = await fetch(snapshotsUrl(address), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ tables: [table] }),
  });
  if (!response.ok) throw new Error(`no snapshot: ${await response.text()}`);
  return (await response.json()) as SnapshotAnswer;
}

export async function snapshotState(address: StreamAddress, id: number): Promise<SnapshotAnswer> {
  return (await (await fetch(`${snapshotsUrl(address)}/${id}`)).json()) as SnapshotAnswer;
}

export async function cancelSnapshot(address: StreamAddress, id: number): Promise<void> {
  await fetch(`${snapshotsUrl(address)}/${id}/cancel`, { method: 'POST' });
}

function snapshotsUrl({ url, stream }: StreamAddress): string {
  return `${url}/v1/streams/${stream}/snapshots`;
}
