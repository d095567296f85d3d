import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RawPath } from '../foundation/brand.ts';
import { keeperDirectory, keeperMarker, keeperScript, keeperStart } from '../machine/golden-keeper.ts';
import type { SnapshotStep } from '../machine/snapshot-plan.ts';

/** A command that runs beside us, here or on the golden machine. */
export interface KeeperProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly ended: Promise<unknown>;
  stop(): Promise<void>;
}

export interface KeeperOptions {
  /** File systems to be held still; none: only the scripts are run. */
  steps: readonly SnapshotStep[];
  /** Directory that holds `pre-capture.d` and `post-capture.d`; absent: no scripts are run. */
  scripts?: string;
  /** Seconds without a word from us after which the machine cleans up by itself. */
  patience: number;
  /** Something to tell people. */
  onLog(message: string): void;
  onWarning(message: string): void;
}

/** What came of the wish to hold a machine still. */
export type KeeperAnswer =
  | {
      kind: 'ready';
      /** The keeper's directory on the machine; processes that read from the view write their numbers to `readers` in it. */
      directory: string;
      /** Path of the whole tree as it was at one moment, by which any process of root there can reach it; undefined: there is none. */
      view: RawPath | undefined;
      /** Seconds since 1970 by the machine's clock, before the first snapshot was made. */
      clock: number;
      /** Numbers of file systems (st_dev) in the view, and what they are in truth. */
      devices: ReadonlyMap<string, string>;
      /** Steps that could not be done, by index, and why. */
      live: ReadonlyMap<number, string>;
    }
  | { kind: 'unable'; reason: string }
  | { kind: 'script-failed'; name: string; status: string };

/** How the snapshots were at the end. */
export interface Released {
  /** Indices of steps whose snapshot was too small to last. */
  full: readonly number[];
  /** Whether the machine could say so: a connection that broke says nothing. */
  checked: boolean;
}

/** Holds a machine still, until it is released or disposed of. */
export interface Keeper extends AsyncDisposable {
  readonly answer: KeeperAnswer;
  /** Gives everything back, and resolves when nothing of it is left. */
  release(): Promise<Released>;
}

const beatSeconds = 5;
/** Seconds for the machine to undo everything; it goes on by itself if we stop waiting. */
const releasePatience = 120;
const stepWords = 7;

/**
 * Starts the keeper (`src/machine/golden-keeper.ts`) and waits until it holds the machine still.
 *
 * @param start runs a command, as root, on the machine
 */
export async function startKeeper(
  start: (command: string, args: readonly string[]) => KeeperProcess,
  options: KeeperOptions,
): Promise<Keeper> {
  const directory = `${keeperDirectory}/capture-${randomBytes(5).toString('hex')}`;
  const words = options.steps.flatMap(wordsOf);
  const args = [directory, keeperScript, String(options.patience), options.scripts ?? '', ...words];
  const child = start(keeperStart, args);
  child.stdin.on('error', () => {});
  const beating = setInterval(() => child.stdin.write('beat\n'), beatSeconds * 1000);
  const heard = listen(child, options);
  // Whatever ends it ends the waiting.
  const over = child.ended.then(
    () => {},
    () => {},
  );
  let released: Promise<Released> | undefined;
  const release = () => {
    released ??= (async () => {
      clearInterval(beating);
      child.stdin.end('release\n');
      const limit = new AbortController();
      const late = delay(releasePatience * 1000, 'late', { signal: limit.signal }).catch(() => 'done');
      const outcome = await Promise.race([Promise.all([heard.done, over]), late]);
      limit.abort();
      if (outcome === 'late') {
        options.onWarning('The golden machine still removes its snapshots; it goes on by itself.');
        await child.stop();
      }
      return { full: heard.full, checked: heard.checked() };
    })();
    return released;
  };
  const answer = await Promise.race([
    heard.answer,
    Promise.all([over, heard.done]).then((): KeeperAnswer => ({ kind: 'unable', reason: 'its keeper ended at once' })),
  ]);
  return {
    answer: answer.kind === 'ready' ? { ...answer, directory } : answer,
    release,
    async [Symbol.asyncDispose]() {
      await release();
    },
  };
}

function wordsOf({ mount, method, source, place, size }: SnapshotStep): string[] {
  const words = [
    method,
    mount.mountPoint,
    source,
    mount.root,
    mount.type,
    place,
    size === undefined ? '' : String(size),
  ];
  if (words.length !== stepWords) throw new Error('a step of the keeper has seven words');
  return words.map((word) => Buffer.from(word, 'latin1').toString('utf8'));
}

/** Reads what the keeper says; other output (a talkative login shell) is passed over. */
function listen(child: KeeperProcess, options: KeeperOptions) {
  const answer = Promise.withResolvers<KeeperAnswer>();
  const devices = new Map<string, string>();
  const live = new Map<number, string>();
  const full: number[] = [];
  let checked = false;
  let view: RawPath | undefined;
  let clock = 0;
  let script = { name: 'pre-capture', status: '1' };
  const hear = (line: string) => {
    const [word = '', ...rest] = line.split(' ');
    const text = rest.join(' ').trim();
    switch (word) {
      case 'log':
        return options.onLog(text);
      case 'output':
        return options.onLog(text);
      case 'script': {
        const [stage, status = '', ...name] = rest;
        const told = `${stage}-capture script ${name.join(' ')}`;
        if (status === '0') return options.onLog(`ran the ${told}`);
        script = { name: name.join(' '), status };
        return options.onWarning(`the ${told} ended with status ${status}`);
      }
      case 'clock':
        clock = Number(rest[0]) || 0;
        return;
      case 'device':
        devices.set(rest[0] ?? '', rest[1] ?? '');
        return;
      case 'live':
        live.set(Number(rest[0]), rest.slice(1).join(' ').trim() || 'it could not be made');
        return;
      case 'view':
        view = text as RawPath;
        return;
      case 'ready':
        return answer.resolve({ kind: 'ready', directory: '', view, clock, devices, live });
      case 'failed':
        return answer.resolve({ kind: 'script-failed', ...script });
      case 'unable':
        return answer.resolve({ kind: 'unable', reason: text });
      case 'full':
        full.push(Number(rest[0]));
        return;
      case 'checked':
        checked = true;
        return;
      case 'left':
        return options.onWarning(`not removed yet on the golden machine, which goes on trying: ${text}`);
    }
  };
  const lines = createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    if (line.startsWith(`${keeperMarker} `)) hear(line.slice(keeperMarker.length + 1));
  });
  const done = once(lines, 'close').then(() => {});
  return { answer: answer.promise, done, full, checked: () => checked };
}
