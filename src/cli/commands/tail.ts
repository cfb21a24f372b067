import type { Logger } from '../../core/logger.ts';
import type { Position } from '../../core/position.ts';
import { SnapshottingSource } from '../../core/snapshots/snapshotting-source.ts';
import type { Source, TransactionPart } from '../../core/source.ts';
import { JsonEncoder } from '../../formats/json.ts';
import type { LineEncoder } from '../../formats/line-encoder.ts';
import type { SourceRequest } from '../../registry.ts';
import { type CommandArguments, type CommandSpec, parseCommandLine, usageError } from '../arguments.ts';
import { type CliContext, commandLog } from '../context.ts';
import { chooseEncoder, FORMAT_OPTION } from '../choose-encoder.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { commandHelp } from '../help.ts';
import { LinePrinter } from '../line-printer.ts';
import { OutputClosedError } from '../output.ts';
import {
  COMMON_OPTIONS,
  parseColumns,
  parseInteger,
  parsePatterns,
  parseServerId,
  parseSourceUrl,
  TABLE_OPTIONS,
  URL_ARGUMENT,
} from '../source-arguments.ts';

export const TAIL: CommandSpec = {
  name: 'tail',
  summary: 'Print the committed changes of a MySQL or MariaDB server, one per line.',
  positionals: [URL_ARGUMENT],
  options: [
    ...TABLE_OPTIONS,
    {
      name: 'columns',
      value: '<table=columns>',
      repeatable: true,
      description: "Only these columns of a table: 'shop.orders=id,total'. Repeat it, or separate tables with ;.",
    },
    {
      name: 'from',
      value: '<start>',
      description:
        'Where to start: now, earliest, a position (a line\'s "pos"), or a time (2026-11-20T09:15:02Z). Default: now.',
    },
    { name: 'until', value: '<end>', description: 'Where to end: now (print what is there, then stop) or a position.' },
    {
      name: 'snapshot',
      value: null,
      description:
        'Begin with the rows that exist, as upserts among the changes. With --until now: end when all of them were printed.',
    },
    { name: 'count', value: '<n>', description: 'Stop after n lines.' },
    FORMAT_OPTION,
    ...COMMON_OPTIONS,
  ],
  examples: [
    'tidings tail mysql://root@127.0.0.1',
    "tidings tail mysql://root@127.0.0.1 --tables 'shop.*,crm.users' --from earliest --until now",
    "tidings tail mysql://root@127.0.0.1 --tables 'shop.*' --snapshot --until now > rows.ndjson",
    'tidings tail mariadb://root@127.0.0.1 --format keys | while read event key; do …; done',
  ],
};

/** Prints changes until it is stopped, the end is reached, or the reader goes away. Throws what the source stops with. */
export async function runTail(args: readonly string[], context: CliContext): Promise<ExitCode> {
  const parsed = parseCommandLine(args, TAIL);
  if (parsed.has('help')) {
    await context.stdout.write(commandHelp(TAIL));
    return EXIT.ok;
  }
  const address = parseSourceUrl(parsed.positionals[0] ?? '', { env: context.env, types: context.sources });
  const log = commandLog(parsed, context);
  const encoder = chooseEncoder(parsed.one('format'), { context, log, json: () => new JsonEncoder() });
  const printer = new LinePrinter(
    context.stdout,
    parseInteger(parsed, 'count', { max: Number.MAX_SAFE_INTEGER }) ?? null,
  );
  const opened = await address.type.open(sourceRequest(parsed, { url: address.url, log }));
  const source = parsed.has('snapshot')
    ? new SnapshottingSource(opened, { log, endAfter: parsed.one('until') === 'now' })
    : opened;
  return new Tail({ source, encoder, printer, log, stop: context.stop }).run();
}

/** @throws TidingsError a usage error for options that contradict each other */
function untilOf(args: CommandArguments): string | undefined {
  const until = args.one('until');
  if (!args.has('snapshot')) return until;
  if (args.has('from')) {
    throw usageError('--snapshot begins with the present rows, and --from somewhere else', 'Leave out one of them.');
  }
  if (until === undefined || until === 'now') return undefined;
  throw usageError(`--snapshot cannot end at "${until}"`, 'Give --until now to end when all rows were printed.');
}

function sourceRequest(args: CommandArguments, { url, log }: { url: string; log: Logger }): SourceRequest {
  const optional = {
    tables: parsePatterns(args, 'tables'),
    exclude: parsePatterns(args, 'exclude'),
    columns: parseColumns(args),
    from: args.one('from'),
    until: untilOf(args),
    serverId: parseServerId(args),
    // Only Debezium's events have a place for them, and a server that need not send them saves their bytes.
    statements: args.one('format') === 'debezium' ? true : undefined,
  };
  // The formats take JSON columns as the server's own text.
  return { url, log, json: 'text', ...withoutUndefined(optional) };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

interface TailParts {
  readonly source: Source;
  readonly encoder: LineEncoder;
  readonly printer: LinePrinter;
  readonly log: Logger;
  readonly stop: AbortSignal;
}

/**
 * From the source to the output. Nothing is queued between them: the next batch is asked for when the reader took the lines of
 * the last one, so a slow reader slows the source down, and lines never wait for more to come (I7).
 *
 * Told to stop, it ends behind the current transaction: at once when none is open, else when its end has been printed.
 */
class Tail {
  readonly #parts: TailParts;
  /** A transaction was printed in part, and its end is still to come. */
  #open = false;
  /** Behind what was printed: resuming there misses nothing (I2). */
  #resume: Position | null = null;

  constructor(parts: TailParts) {
    this.#parts = parts;
  }

  async run(): Promise<ExitCode> {
    const { source, log, stop } = this.#parts;
    const onStop = (): void => {
      if (this.#open) log.info({}, 'stopping behind the current transaction; once more stops at once');
      else void source.close();
    };
    stop.addEventListener('abort', onStop, { once: true });
    try {
      if (!stop.aborted) await this.#follow();
    } catch (error) {
      // Nobody is there to be told where it ended, and how much of it was read is unknown.
      if (error instanceof OutputClosedError) return EXIT.ok;
      this.#reportEnd();
      throw error;
    } finally {
      stop.removeEventListener('abort', onStop);
      await source.close();
    }
    this.#reportEnd();
    return EXIT.ok;
  }

  async #follow(): Promise<void> {
    const { source, printer } = this.#parts;
    for await (const batch of source.batches()) {
      try {
        for (const part of batch.parts) {
          // Told to stop while it waited: what begins now might not end any more.
          if (this.#isDone()) return;
          this.#encode(part);
          if (this.#isDone()) return;
          // oxlint-disable-next-line no-await-in-loop -- in order, and no faster than the reader
          if (printer.hasChunk) await printer.flush();
        }
        if (!this.#open) this.#resume = batch.position;
      } finally {
        // Also what came before a failure or the end: those lines are right, and counted as printed.
        await printer.flush();
      }
      if (this.#isDone()) return;
    }
  }

  #encode(part: TransactionPart): void {
    const { encoder, printer, log } = this.#parts;
    if (part.restarted) {
      const { id, start } = part.transaction;
      log.warn(
        { tx: id, position: start },
        'the connection broke inside this transaction: its lines come again from its first',
      );
    }
    if (part.begins) this.#resume = part.transaction.start;
    this.#open = true;
    encoder.encode(part, printer.add);
    this.#open = part.end === null;
    if (part.end !== null && !printer.hasSuppressed) this.#resume = part.end;
  }

  #isDone(): boolean {
    return this.#parts.printer.isFull || (this.#parts.stop.aborted && !this.#open);
  }

  #reportEnd(): void {
    const { source, printer, log } = this.#parts;
    const position = this.#resume ?? source.position;
    if (position !== null) log.info({ position, lines: printer.lines }, 'stopped; --from takes the position to go on');
  }
}
