import type { CommandSpec, OptionSpec, PositionalSpec } from './arguments.ts';

const WIDTH = 100;

export function commandHelp(spec: CommandSpec): string {
  const positionals = spec.positionals.map((positional) => ` ${placeholder(positional)}`).join('');
  const sections = [
    `Usage: tidings ${spec.name}${positionals} [options]`,
    spec.summary,
    table(spec.positionals.map((positional) => [placeholder(positional), positional.description])),
    `Options:\n${table(spec.options.map((option) => [signature(option), option.description]))}`,
    `Examples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

export function overviewHelp(commands: readonly CommandSpec[]): string {
  const sections = [
    'Usage: tidings <command> [options]',
    'Change data capture and relay for MySQL and MariaDB.',
    `Commands:\n${table(commands.map(({ name, summary }) => [name, summary]))}`,
    `Options:\n${table([
      ['-h, --help', 'Show this help; after a command, the help of the command.'],
      ['--version', 'Show the version.'],
    ])}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

function placeholder({ name, optional }: PositionalSpec): string {
  return optional === true ? `[${name}]` : `<${name}>`;
}

export function signature({ name, short, value }: OptionSpec): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === null ? '' : ` ${value}`}`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  const column = Math.max(...rows.map(([term]) => term.length)) + 4;
  return rows.map(([term, text]) => `  ${term.padEnd(column - 2)}${wrap(text, column)}`).join('\n');
}

function wrap(text: string, indent: number): string {
  let line = '';
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH - indent) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.join(`\n${' '.repeat(indent)}`);
}
