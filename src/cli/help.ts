import { type ArgumentDefinition, type CommandDefinition, commandGroups, type OptionDefinition } from './command.ts';
import { globalOptions } from './command-table.ts';
import type { Terminal } from './terminal.ts';
import { padText, textWidth, wrapText } from './text-width.ts';

const program = 'imprint';
const programOptions: readonly OptionDefinition[] = [
  { flags: '--version', description: 'the version of this program' },
  { flags: '-h, --help', description: 'this, or help for the command before it' },
];

/** Help for the whole program: commands in their groups, and the options that each takes. */
export function programHelp(commands: readonly CommandDefinition[], terminal: Terminal): string {
  const width = Math.max(...commands.map((command) => usageName(command).length));
  const groups = commandGroups.flatMap((group) => {
    const rows = commands
      .filter((command) => command.group === group)
      .map((command): Row => [usageName(command), command.summary]);
    return [heading(group, terminal), ...renderRows(rows, terminal, width), ''];
  });
  return finish(terminal, [
    `${terminal.paint('bold', program)} manages Linux machines by whole images: capture, store, install.`,
    '',
    `${heading('Usage', terminal)}  ${program} COMMAND [ARGUMENT…] [OPTION…]`,
    '',
    ...groups,
    heading('Options of every command', terminal),
    ...renderRows([...globalOptions, ...programOptions].map(optionRow), terminal, width),
    '',
    `Help for one command, with examples: ${program} COMMAND --help`,
  ]);
}

/** Help for a noun: its verbs. */
export function nounHelp(noun: string, commands: readonly CommandDefinition[], terminal: Terminal): string {
  const rows = commands
    .filter((command) => command.name.startsWith(`${noun} `))
    .map((command): Row => [usageName(command), command.summary]);
  return finish(terminal, [
    `${heading('Usage', terminal)}  ${program} ${noun} COMMAND [ARGUMENT…] [OPTION…]`,
    '',
    ...renderRows(rows, terminal),
    '',
    `Help for one command, with examples: ${program} ${noun} COMMAND --help`,
  ]);
}

/** Help for one command: usage, what it does, arguments, options, examples. */
export function commandHelp(command: CommandDefinition, terminal: Terminal): string {
  const wide = Math.min(terminal.columns, 100) - 2;
  const description = (command.description ?? '')
    .split('\n')
    .flatMap((text) => (text === '' ? [] : wrapText(text, wide)));
  const args = (command.arguments ?? []).map((argument): Row => [argument.name, argument.description]);
  const options = (command.options ?? []).map(optionRow);
  const width = Math.max(...[...args, ...options, ...globalOptions.map(optionRow)].map(([left]) => textWidth(left)));
  const part = (title: string, rows: Row[]) =>
    rows.length === 0 ? [] : ['', heading(title, terminal), ...renderRows(rows, terminal, Math.min(width, 26))];
  return finish(terminal, [
    `${terminal.paint('bold', `${program} ${command.name}`)}: ${command.summary}`,
    '',
    `${heading('Usage', terminal)}  ${program} ${usageLine(command)}`,
    ...(description.length > 0 ? ['', ...description] : []),
    ...part('Arguments', args),
    ...part('Options', options),
    ...part('Options of every command', globalOptions.map(optionRow)),
    '',
    heading('Examples', terminal),
    ...command.examples.flatMap(([line, says]) => [`  ${line}`, `      ${terminal.paint('dim', says)}`]),
  ]);
}

/** `capture SOURCE --name <image> [OPTION…]`. */
export function usageLine(command: CommandDefinition): string {
  const args = (command.arguments ?? []).map(argumentUsage);
  const required = (command.options ?? []).filter((option) => option.required).map((option) => longForm(option));
  return [command.name, ...args, ...required, '[OPTION…]'].join(' ');
}

type Row = readonly [left: string, right: string];

function usageName(command: CommandDefinition): string {
  return command.name;
}

function argumentUsage(argument: ArgumentDefinition): string {
  const name = argument.variadic ? `${argument.name}…` : argument.name;
  return argument.optional ? `[${name}]` : name;
}

function longForm(option: OptionDefinition): string {
  return option.flags.slice(option.flags.indexOf('--'));
}

function optionRow(option: OptionDefinition): Row {
  const flags = option.flags.startsWith('--') ? `    ${option.flags}` : option.flags;
  return [flags, option.description];
}

function heading(text: string, terminal: Terminal): string {
  return terminal.paint('bold', `${text}:`);
}

function renderRows(rows: readonly Row[], terminal: Terminal, least = 0): string[] {
  const left = Math.max(least, ...rows.map(([name]) => Math.min(26, textWidth(name))));
  const room = Math.max(30, Math.min(terminal.columns, 110) - left - 5);
  return rows.flatMap(([name, says]) => {
    const [first = '', ...others] = wrapText(says, room);
    const rest = others.map((line) => `  ${' '.repeat(left)}  ${line}`);
    if (textWidth(name) > left)
      return [`  ${terminal.paint('cyan', name)}`, `  ${' '.repeat(left)}  ${first}`, ...rest];
    return [`  ${terminal.paint('cyan', padText(name, left))}  ${first}`, ...rest];
  });
}

function finish(terminal: Terminal, lines: readonly string[]): string {
  return lines.map((line) => `${terminal.plain(line).trimEnd()}\n`).join('');
}
