import { type CommandArguments, type CommandSpec, parseCommandLine } from './arguments.ts';
import type { CliContext } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { commandHelp } from './help.ts';
import type { RelayApi } from './relay-api-client.ts';
import { parseRelay } from './relay-arguments.ts';

/** Runs a command that asks something of a relay: with its arguments read, its help shown, and the connection closed behind it. */
export async function withRelay(
  args: readonly string[],
  { spec, context }: { spec: CommandSpec; context: CliContext },
  run: (parsed: CommandArguments, api: RelayApi) => Promise<ExitCode>,
): Promise<ExitCode> {
  const parsed = parseCommandLine(args, spec);
  if (parsed.has('help')) {
    await context.stdout.write(commandHelp(spec));
    return EXIT.ok;
  }
  const address = parseRelay(parsed, context);
  const { RelayApi } = await import('./relay-api-client.ts');
  const api = new RelayApi(address, context.stop);
  try {
    return await run(parsed, api);
  } catch (error) {
    if (context.stop.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    api.close();
  }
}
