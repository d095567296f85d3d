import { once } from 'node:events';
import type { RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { ByteReader } from '../image/byte-reader.ts';
import type { Timestamp } from '../image/entry.ts';
import { parseKernelSeconds } from '../image/timestamp.ts';
import { type ListedPath, ListingParser, listingFormat } from '../machine/golden-listing.ts';
import { findOperands, parseAnswers, shellWord, surveyScript } from '../machine/golden-questions.ts';
import type { MachineAnswers } from '../machine/source-facts.ts';
import type { RemoteCommand, SshConnection } from './ssh.ts';

/** A golden machine that was asked, and can be read. */
export interface Golden {
  readonly answers: MachineAnswers;
  /** Absolute path of what is captured, symlinks resolved. */
  readonly root: RawPath;
  /** Everything below the root as GNU find sees it, in no order; mount points in `pruned` are listed, not entered. */
  list(pruned: readonly RawPath[]): AsyncIterable<ListedPath[]>;
  /** Starts a command on the machine, as root. */
  startAsRoot(command: string, args: readonly string[]): RemoteCommand;
  /**
   * The same machine, read from another directory that shows the same tree (a snapshot of it): processes that read there write their
   * numbers to the file `readers`, and `devices` says which number a file system has in truth.
   */
  readFrom(view: { directory: RawPath; readers: string }, devices: ReadonlyMap<string, string>): Golden;
  /**
   * A tar archive of the paths, in their order, with every attribute. They are relative to `base` (UTF-8), which is for paths that are
   * longer than the kernel takes at once.
   */
  fetch(paths: Iterable<RawPath>, base?: RawPath): Promise<GoldenArchive>;
}

/** A tar archive as it comes over the wire. */
export interface GoldenArchive {
  /** The golden machine's clock just before the first byte was read; for times of files only. */
  readonly started: Timestamp;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** To be called once `bytes` was read to its end: what tar complained of. Rejects with `golden-lost`, `golden-unfit`. */
  finish(): Promise<string[]>;
  /** Ends it early. */
  stop(): Promise<void>;
}

/** Bytes of a path that every system call takes (PATH_MAX is 4096, with `./` and the NUL). */
export const longestPath = 4000;
const noDevices: ReadonlyMap<string, string> = new Map();
const streamMarker = '@@imprint-stream';
/** Seconds without a byte from find, after which a file system there must be taken for dead (a network mount that hangs). */
const listingPatience = 120;
const tarOptions = [
  '--create --file=- --format=pax --sparse --sparse-version=1.0',
  "--xattrs --xattrs-include='*' --pax-option=delete=atime",
  '--numeric-owner --no-recursion --null --files-from=-',
].join(' ');
/** Options that an older GNU tar may lack, and what it loses without them. */
const optionalTarOptions = [
  // 1.29; without it holes are found by looking for zeros, where the file system cannot tell.
  { probe: '--hole-detection', option: '--hole-detection=seek' },
  // Reading must not change what is read, not even its access times.
  { probe: '--atime-preserve', option: '--atime-preserve=system' },
] as const;

/**
 * Asks a machine what it is, and whether it can be captured.
 *
 * @param directory absolute path there
 * Errors: `source-not-found`, `golden-unfit` (not root, no GNU find or tar), `golden-lost`, `interrupted`.
 */
export async function askGolden(connection: SshConnection, directory: string): Promise<Golden> {
  const answers = parseAnswers(await connection.script(surveyScript, [directory], 60));
  const unfit = (problem: string, hint: string) =>
    new ImprintError('golden-unfit', { host: connection.destination, problem, hint });
  const answer = (name: string) => answers.get(name)?.trim() ?? '';
  if (!answers.has('end')) {
    throw unfit('its shell did not run our questions', `Try: ssh ${connection.destination} sh -c true`);
  }
  const root = answer('root') as RawPath;
  if (root === '') throw new ImprintError('source-not-found', { source: `${connection.destination}:${directory}` });
  if (answer('user') !== '0' && answer('sudo') !== 'yes') {
    throw unfit(
      'the login is not root and sudo asks for a password',
      'Log in as root (ssh://root@HOST), or let the user run sudo without a password.',
    );
  }
  if (!answer('tar').includes('GNU tar')) throw unfit('it has no GNU tar', 'Install the package tar there.');
  if (!answer('find').includes('GNU findutils'))
    throw unfit('it has no GNU find', 'Install the package findutils there.');
  const help = answers.get('tar-help') ?? '';
  if (!help.includes('--xattrs-include')) {
    throw unfit(`its ${answer('tar')} cannot read extended attributes`, 'Install GNU tar 1.27 or newer there.');
  }
  const optional = optionalTarOptions.filter(({ probe }) => help.includes(probe)).map(({ option }) => option);
  const prefix = answer('user') === '0' ? '' : 'sudo -n ';
  const startAsRoot = (command: string, args: readonly string[]) =>
    connection.start(`${prefix}sh -c ${[command, 'sh', ...args].map(shellWord).join(' ')}`);
  return reading({ connection, answers, root, optional, startAsRoot }, { directory: root });
}

interface Asked {
  connection: SshConnection;
  answers: MachineAnswers;
  root: RawPath;
  /** Options that its tar takes. */
  optional: readonly string[];
  startAsRoot: Golden['startAsRoot'];
}

function reading(asked: Asked, view: { directory: RawPath; readers?: string }, devices = noDevices): Golden {
  const { connection, answers, root, optional, startAsRoot } = asked;
  const register = view.readers === undefined ? '' : `echo $$ >> ${shellWord(view.readers)} && `;
  // Words of a tool that goes wrong must come in English.
  const inRoot = (command: string) =>
    startAsRoot(
      `${register}cd ${shellWord(fromLatin1(view.directory))} && printf "\\n${streamMarker} %s\\n" "$(date +%s.%N)" && LC_ALL=C exec ${command}`,
      [],
    );
  return {
    answers,
    root,
    startAsRoot,
    readFrom: (other, numbers) => reading(asked, other, numbers),
    async *list(pruned) {
      const operands = findOperands(pruned.map(fromLatin1), listingFormat).map(shellWord);
      const command = inRoot(`find . ${operands.join(' ')}`);
      for await (const records of list(command, connection.destination)) {
        for (const record of records) record.device = devices.get(record.device) ?? record.device;
        yield records;
      }
    },
    fetch: (paths, base) => {
      const directories = base === undefined ? [] : splitLong(base).map((part) => `-C ${shellWord(fromLatin1(part))}`);
      const words = ['tar', ...directories, tarOptions, ...optional];
      return fetchArchive(inRoot(words.join(' ')), paths, connection.destination);
    },
  };
}

async function* list(command: RemoteCommand, host: string): AsyncGenerator<ListedPath[], void, void> {
  command.stdin.end();
  const reader = new ByteReader(withPatience(command, host));
  try {
    await startOfStream(reader, command, host);
    const parser = new ListingParser();
    for (let piece = await reader.some(1 << 20); piece !== undefined; piece = await reader.some(1 << 20)) {
      const records = parser.push(piece);
      if (!Array.isArray(records)) {
        throw new ImprintError('golden-unfit', {
          host,
          problem: records.problem,
          hint: 'Is it GNU findutils? Look at: find --version',
        });
      }
      yield records;
    }
    const { status, stderr } = await command.ended;
    // 1: something vanished or could not be read while it looked; the rounds after the content see to that.
    if (status > 1 || parser.incomplete) {
      throw new ImprintError('golden-unfit', {
        host,
        problem: `find stopped with status ${status}: ${lastLine(stderr)}`,
        hint: 'Look at what it says there, then capture again.',
      });
    }
  } finally {
    await command.stop();
  }
}

async function fetchArchive(command: RemoteCommand, paths: Iterable<RawPath>, host: string): Promise<GoldenArchive> {
  const feeding = feed(command, paths);
  feeding.catch(() => {});
  const reader = new ByteReader(command.stdout);
  let started: Timestamp;
  try {
    started = await startOfStream(reader, command, host);
  } catch (error) {
    await command.stop();
    throw error;
  }
  return {
    started,
    bytes: pieces(reader),
    async finish() {
      // What comes after the archive's end is padding; tar must be able to write it.
      while ((await reader.some(1 << 20)) !== undefined);
      const { status, stderr } = await command.ended;
      const said = stderr.split('\n').filter((line) => line.startsWith('tar: '));
      if (status <= 2) return said.map((line) => line.slice('tar: '.length));
      throw new ImprintError('golden-unfit', {
        host,
        problem: `tar stopped with status ${status}: ${lastLine(stderr)}`,
        hint: 'Look at what it says there, then capture again.',
      });
    },
    stop: () => command.stop(),
  };
}

/** Passes over what a login shell may print, up to our marker, and returns the time beside it. */
async function startOfStream(reader: ByteReader, command: RemoteCommand, host: string): Promise<Timestamp> {
  let line = '';
  for (let length = 0; length < 1 << 20; length += 1) {
    const byte = await reader.exactly(1);
    if (byte === undefined) break;
    if (byte[0] !== 0x0a) {
      line += byte.toString('latin1');
      continue;
    }
    if (line.startsWith(`${streamMarker} `)) {
      return parseKernelSeconds(line.slice(streamMarker.length + 1)) ?? { seconds: 0, nanoseconds: 0 };
    }
    line = '';
  }
  const { status, stderr } = await command.ended;
  throw new ImprintError('golden-unfit', {
    host,
    problem: `a command there ended with status ${status}: ${lastLine(stderr)}`,
    hint: 'Look at what it says there, then capture again.',
  });
}

async function* pieces(reader: ByteReader): AsyncGenerator<Uint8Array, void, void> {
  for (let piece = await reader.some(1 << 20); piece !== undefined; piece = await reader.some(1 << 20)) yield piece;
}

/** Gives tar its names, no faster than it takes them. */
async function feed(command: RemoteCommand, paths: Iterable<RawPath>): Promise<void> {
  let batch = '';
  const flush = async () => {
    const more = command.stdin.write(Buffer.from(batch, 'latin1'));
    batch = '';
    if (!more) await Promise.race([once(command.stdin, 'drain'), command.ended]);
  };
  for (const path of paths) {
    batch += path === '' ? './\0' : `./${path}\0`;
    if (batch.length > 1 << 16) await flush();
  }
  if (batch !== '') await flush();
  command.stdin.end();
}

async function* withPatience(command: RemoteCommand, host: string): AsyncGenerator<Uint8Array, void, void> {
  let last = Date.now();
  let silent = false;
  const watch = setInterval(() => {
    if (Date.now() - last < listingPatience * 1000) return;
    silent = true;
    command.stdout.destroy();
  }, 1000);
  try {
    for await (const piece of command.stdout) {
      last = Date.now();
      yield piece;
    }
  } catch (error) {
    if (!silent) throw error;
  } finally {
    clearInterval(watch);
  }
  if (silent) {
    throw new ImprintError('golden-unfit', {
      host,
      problem: `find there has been silent for ${listingPatience} s`,
      hint: 'Does a network file system hang there? Unmount it, then capture again.',
    });
  }
}

/** A path in pieces that a system call takes, cut at slashes. */
function splitLong(path: string): string[] {
  const parts: string[] = [];
  let rest = path;
  while (rest.length > longestPath) {
    const slash = rest.lastIndexOf('/', longestPath);
    parts.push(`./${rest.slice(0, slash)}`);
    rest = rest.slice(slash + 1);
  }
  return [...parts, `./${rest}`];
}

function lastLine(stderr: string): string {
  return stderr.trim().split('\n').at(-1) ?? '';
}

function fromLatin1(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
