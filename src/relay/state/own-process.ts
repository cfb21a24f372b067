// oxlint-disable-next-line no-restricted-imports -- the two facts about this process that the state needs, and nobody can hand to a worker thread
import { kill, pid } from 'node:process';

/** For the text that tells a second relay who holds the directory. */
export const ownProcessId: number = pid;

/** What a crash test asks for: the process ends here and now, all its threads with it. */
export function killOwnProcess(): void {
  kill(pid, 'SIGKILL');
}
