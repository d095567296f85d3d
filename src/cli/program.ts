import { Command, CommanderError, Option } from 'commander';
import { ImprintError } from '../foundation/errors.ts';
import { type CommandDefinition, Invocation, type OptionDefinition } from './command.ts';
import { globalOptions } from './command-table.ts';
import { commandHelp, nounHelp, programHelp } from './help.ts';
import type { Terminal } from './terminal.ts';

/** What the command line asked for. */
export type Request =
  | { kind: 'run'; command: CommandDefinition; invocation: Invocation; globals: Record<string, unknown> }
  /** Text for stdout: help or version. */
  | { kind: 'text'; text: string };

/** Reads a command line (without `node` and the program's name). Throws `usage` with the nearest right spelling. */
export async function readCommandLine(
  words: readonly string[],
  commands: readonly CommandDefinition[],
  version: string,
  terminal: Terminal,
): Promise<Request> {
  let request: Request = { kind: 'text', text: programHelp(commands, terminal) };
  let help = '';
  const keep = (text: string) => {
    help += text;
  };
  const program = new Command('imprint')
    .version(version, '--version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: keep,
      writeErr: keep,
      outputError: () => {},
    })
    .configureHelp({ formatHelp: () => programHelp(commands, terminal) });
  for (const option of globalOptions) program.addOption(makeOption(option));
  const nouns = new Map<string, Command>();
  for (const definition of commands) {
    const [first = '', verb] = definition.name.split(' ');
    const parent =
      verb === undefined ? program : (nouns.get(first) ?? addNoun(program, nouns, first, commands, terminal));
    addCommand(parent, verb ?? first, definition, terminal, (invocation, globals) => {
      request = { kind: 'run', command: definition, invocation, globals };
    });
  }
  if (words.length === 0) return request;
  try {
    // `imprint help image ls` is `imprint image ls --help`.
    const given = words[0] === 'help' ? [...words.slice(1), '--help'] : words;
    await program.parseAsync([...given], { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return { kind: 'text', text: help };
    throw usageError(thrown, plainWords(program, words), nouns);
  }
  return request;
}

function addNoun(
  program: Command,
  nouns: Map<string, Command>,
  noun: string,
  commands: readonly CommandDefinition[],
  terminal: Terminal,
): Command {
  const command = program
    .command(noun)
    .helpCommand(false)
    .configureHelp({ formatHelp: () => nounHelp(noun, commands, terminal) });
  nouns.set(noun, command);
  return command;
}

function addCommand(
  parent: Command,
  name: string,
  definition: CommandDefinition,
  terminal: Terminal,
  chosen: (invocation: Invocation, globals: Record<string, unknown>) => void,
): void {
  const command = parent.command(name).configureHelp({ formatHelp: () => commandHelp(definition, terminal) });
  for (const argument of definition.arguments ?? []) {
    const text = argument.variadic ? `${argument.name}...` : argument.name;
    command.argument(argument.optional ? `[${text}]` : `<${text}>`, argument.description);
  }
  for (const option of definition.options ?? []) command.addOption(makeOption(option));
  command.action((...words: unknown[]) => {
    const args = words.slice(0, (definition.arguments ?? []).length) as (string | string[] | undefined)[];
    const program = parent.parent ?? parent;
    chosen(new Invocation(definition.name, args, command.opts()), program.opts());
  });
}

function makeOption(definition: OptionDefinition): Option {
  const option = new Option(definition.flags, definition.description);
  if (definition.required) option.makeOptionMandatory();
  if (definition.repeat) {
    option.argParser((value: string, before: unknown) => [...(Array.isArray(before) ? before : []), value]);
  }
  return option;
}

/** The words that are neither options nor, before the command, an option's value: noun, verb, arguments. */
function plainWords(program: Command, words: readonly string[]): string[] {
  const takesValue = new Set(
    program.options.filter(({ required }) => required).flatMap(({ short, long }) => [short, long]),
  );
  const first = words.findIndex((word, index) => !word.startsWith('-') && !takesValue.has(words[index - 1]));
  return first < 0 ? [] : words.slice(first).filter((word) => !word.startsWith('-'));
}

/** Commander's complaint in our words, with its suggestion as the hint. */
function usageError(
  thrown: CommanderError,
  plain: readonly string[],
  nouns: ReadonlyMap<string, Command>,
): ImprintError {
  const [noun = '', second = ''] = plain;
  const verb = nouns.has(noun) ? ` ${second}`.trimEnd() : '';
  if (thrown.code === 'commander.help') {
    const hint = `See what there is: imprint ${noun} --help`;
    return new ImprintError('usage', { problem: `imprint ${noun} needs a command.`, hint });
  }
  const [message = '', suggestion = ''] = thrown.message.replace(/^error: /, '').split('\n');
  const problem = `${message.slice(0, 1).toUpperCase()}${message
    .slice(1)
    .replaceAll(/'([^']*)'/g, '“$1”')
    .replace(/\.?$/, '.')}`;
  const meant = /^\(Did you mean (.*)\?\)$/.exec(suggestion)?.[1];
  const known =
    thrown.code === 'commander.unknownCommand'
      ? `imprint${nouns.has(noun) ? ` ${noun}` : ''} --help`
      : `imprint ${noun}${verb} --help`;
  const before = thrown.code === 'commander.unknownCommand' && nouns.has(noun) ? `imprint ${noun} ` : '';
  const hint = meant
    ? `Did you mean ${meant.startsWith('one of ') ? meant.replace('one of ', 'one of: ') : `${before}${meant}`}?`
    : `See how it is used: ${known.replace('  ', ' ')}`;
  return new ImprintError('usage', { problem, hint });
}
