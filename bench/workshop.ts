import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What one run of a command took. */
export interface Measured {
  /** Seconds of user and system time, together. */
  cpu: number;
  wall: number;
  /** The largest resident size of one of its processes, in MiB. */
  memory: number;
}

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

/** Where the rows are measured: directories, commands, and how often. */
export class Workshop {
  readonly runs: number;
  /** All that is written lies here, and goes in the end. */
  readonly work: string;
  /** Kept from run to run: trees. */
  readonly cache: string;
  readonly imprint = join(root, 'imprint');

  constructor(cache: string, runs: number) {
    this.cache = cache;
    this.runs = runs;
    // Of this process alone: two may measure different rows.
    this.work = join(cache, `work-${process.pid}`);
  }

  say(message: string): void {
    process.stderr.write(`bench: ${message}\n`);
  }

  /** An empty directory below `work`. */
  empty(name: string): string {
    const directory = join(this.work, name);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  remove(name: string): void {
    rmSync(join(this.work, name), { recursive: true, force: true });
  }

  /** Runs a shell command in a process of its own; throws where it fails. */
  measure(name: string, command: string): Measured {
    const node = join(root, 'node_modules', 'node', 'bin', 'node');
    const helper = join(root, 'bench', 'measure.ts');
    const { stdout } = spawnSync(node, ['--disable-warning=ExperimentalWarning', helper, command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const result = JSON.parse(stdout) as { status: number; user: number; system: number; memory: number; wall: number };
    if (result.status !== 0) throw new Error(`failed (${result.status}): ${command}`);
    const measured = { cpu: result.user + result.system, wall: result.wall, memory: result.memory / 1024 };
    this.say(
      `${name}: ${measured.cpu.toFixed(2)} s CPU (${result.system.toFixed(2)} s in the kernel), ${measured.wall.toFixed(1)} s, ${measured.memory.toFixed(0)} MiB`,
    );
    return measured;
  }

  /** Runs a command that is no part of a measurement. */
  run(command: string): void {
    const { status } = spawnSync('bash', ['-o', 'pipefail', '-c', command], { stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) throw new Error(`failed (${status}): ${command}`);
  }

  /**
   * A directory beside the trees that takes long to make, kept for the next run. Made by commands one after another; a run that was ended before
   * the last of them is carried on with, from the command that it was at.
   */
  prepared(name: string, commands: (directory: string) => readonly string[]): string {
    const made = join(this.cache, name);
    if (existsSync(made)) return made;
    const making = `${made}.making`;
    mkdirSync(making, { recursive: true });
    for (const [index, command] of commands(making).entries()) {
      const done = join(making, `step-${index}`);
      if (existsSync(done)) continue;
      this.say(`preparing ${name}: ${command.slice(0, 60)}…`);
      this.run(command);
      writeFileSync(done, '');
    }
    renameSync(making, made);
    return made;
  }

  /** Imprint on a store of its own below `name`. */
  ours(name: string): string {
    const place = join(this.work, name);
    return `${quoted(this.imprint)} --data ${quoted(join(place, 'data'))} --store ${quoted(join(place, 'store'))} --quiet --yes`;
  }
}

/** A word of a shell command. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Bytes of a file, or of all files below a directory but those below its part `except`. */
export function sizeOf(path: string, except?: string): number {
  if (!existsSync(path)) return 0;
  if (statSync(path).isFile()) return statSync(path).size;
  const left = except === undefined ? undefined : `${join(path, except)}/`;
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && (left === undefined || !`${entry.parentPath}/`.startsWith(left)))
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** The middle of what several runs gave, each figure by itself. */
export function medianOf(runs: readonly Measured[]): Measured {
  const middle = (value: (run: Measured) => number) => {
    const values = runs.map(value).sort((left, right) => left - right);
    return values[Math.floor(values.length / 2)] ?? Number.NaN;
  };
  return { cpu: middle(({ cpu }) => cpu), wall: middle(({ wall }) => wall), memory: middle(({ memory }) => memory) };
}
