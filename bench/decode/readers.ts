import { join } from 'node:path';
import type { ReaderCommand } from './reader-process.ts';
import { prepareGo, prepareJava, prepareZongji } from './peers.ts';

export type ReaderName = 'tidings' | 'java' | 'go' | 'zongji';

/** A reader that can be started: which program, and what the report calls it. */
export interface Reader {
  readonly name: ReaderName;
  readonly label: string;
  /** Without the workload's own arguments, which are appended. */
  readonly command: ReaderCommand;
  /** Peers have no way to decode the key alone. */
  readonly keys: boolean;
}

/** Why a reader is not in the table. */
export interface Skipped {
  readonly name: ReaderName;
  readonly reason: string;
}

export const READER_NAMES: readonly ReaderName[] = ['tidings', 'java', 'go', 'zongji'];

/** Installs what the reader needs, when it is not there yet. */
export async function prepareReader(name: ReaderName): Promise<Reader | Skipped> {
  switch (name) {
    case 'tidings': {
      const script = join(import.meta.dirname, '..', 'readers', 'tidings.ts');
      return { name, label: 'Tidings', command: { command: process.execPath, args: [script] }, keys: true };
    }
    case 'java':
      return prepared(name, await prepareJava());
    case 'go':
      return prepared(name, await prepareGo());
    case 'zongji':
      return prepared(name, await prepareZongji());
  }
}

function prepared(name: ReaderName, peer: Awaited<ReturnType<typeof prepareGo>>): Reader | Skipped {
  return 'reason' in peer ? { name, reason: peer.reason } : { name, ...peer, keys: false };
}
