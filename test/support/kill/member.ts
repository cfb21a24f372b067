import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Journal, readJournal } from './journal.ts';
import { ScriptProcess } from './script-process.ts';

const SCRIPT = join(import.meta.dirname, 'consumer.ts');

/** A group's member in a process of its own, killed and started again under the same name and journal. */
export class Member extends ScriptProcess {
  readonly #journal: string;

  constructor(name: string, options: { url: string; stream: string; group: string; folder: string }) {
    const journal = join(options.folder, `${name}.journal`);
    super(name, [SCRIPT, options.url, options.stream, options.group, name, journal]);
    this.#journal = journal;
  }

  journal(): Journal {
    return existsSync(this.#journal)
      ? readJournal(this.#journal, this.name)
      : { changes: [], committedNs: new Map(), starts: 0 };
  }
}
