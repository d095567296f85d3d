import type { Session } from './session.ts';

export const commandGroups = [
  'Images',
  'Disks',
  'Machines',
  'Progress',
  'Updates',
  'Boot',
  'Server',
  'Media',
  'Store',
  'Trust',
] as const;
export type CommandGroup = (typeof commandGroups)[number];

export interface ArgumentDefinition {
  /** As it stands in the usage line: `REF`. */
  name: string;
  description: string;
  optional?: boolean;
  /** Takes all that is left. */
  variadic?: boolean;
}

export interface OptionDefinition {
  /** As commander reads them: `-x, --exclude <glob>`; a value in `<>`. */
  flags: string;
  description: string;
  /** May be given several times; all values count. */
  repeat?: boolean;
  required?: boolean;
}

/** One command, as its help, the documentation and the shell know it. What it does is loaded only when it runs. */
export interface CommandDefinition {
  /** One word, or a noun and a verb: `image ls`. */
  name: string;
  group: CommandGroup;
  summary: string;
  /** What there is to say beyond the summary; paragraphs. */
  description?: string;
  arguments?: readonly ArgumentDefinition[];
  options?: readonly OptionDefinition[];
  /** At least one: the command line, and what it does in words. */
  examples: readonly (readonly [line: string, says: string])[];
  load(): Promise<{ run: CommandHandler }>;
}

export type CommandHandler = (session: Session, invocation: Invocation) => Promise<void>;

/** What stood on the command line: arguments in order and the options of the command itself. */
export class Invocation {
  /** The command's name: `image ls`. */
  readonly command: string;
  readonly #arguments: readonly (string | readonly string[] | undefined)[];
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(
    command: string,
    args: readonly (string | readonly string[] | undefined)[],
    options: Readonly<Record<string, unknown>>,
  ) {
    this.command = command;
    this.#arguments = args;
    this.#options = options;
  }

  /** A required argument, or an optional one that may be missing. */
  argument(index: number): string {
    const value = this.#arguments[index];
    return typeof value === 'string' ? value : '';
  }

  optionalArgument(index: number): string | undefined {
    const value = this.#arguments[index];
    return typeof value === 'string' ? value : undefined;
  }

  /** A variadic argument. */
  argumentList(index: number): readonly string[] {
    const value = this.#arguments[index];
    return Array.isArray(value) ? value : [];
  }

  /** Option `name` (camel case of its long form) with its value, undefined where it was not given. */
  text(name: string): string | undefined {
    const value = this.#options[name];
    return typeof value === 'string' ? value : undefined;
  }

  list(name: string): string[] {
    const value = this.#options[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  flag(name: string): boolean {
    return this.#options[name] === true;
  }
}
