import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { digestSchema } from '../../contract/image.ts';
import { liveFramesSchema } from '../../contract/imager-protocol.ts';
import { rootFileSystemSchema } from '../../contract/machine.ts';
import { errorValueSchema } from '../../contract/task-event.ts';
import type { Digest } from '../../foundation/brand.ts';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { Task } from '../../foundation/task.ts';
import type { Store } from '../../store/store.ts';
import { BlockServer } from '../../system/nbd/serve-blocks.ts';
import type { Processes, RunningProcess } from '../../system/run.ts';
import { openVersionDevice } from './open-version-device.ts';
import { patientReads } from './patient-reads.ts';

const wishSchema = z.object({
  /** URL or path of the store. */
  location: z.string(),
  image: z.string(),
  digest: digestSchema,
  fileSystem: rootFileSystemSchema,
  /** Bytes at most. */
  size: z.number(),
  uuid: z.string(),
  time: z.number(),
  /** Bytes of content that are kept in memory. */
  room: z.number(),
  /** In memory: for the file system's own structures, and the socket. */
  directory: z.string(),
  /** Frames that earlier starts read first. */
  frames: liveFramesSchema.optional(),
});

/** Which version, as which file system. */
export type LiveSourceWish = z.infer<typeof wishSchema>;

/** What the process that serves it says, a line each. */
const wordSchema = z.union([
  z.object({ ready: z.number(), zeros: z.array(z.object({ start: z.number(), length: z.number() })) }),
  z.object({ failed: errorValueSchema }),
  z.object({ problem: z.string().nullable() }),
  /** Bytes that came from the store so far, and the frames that were asked for, in order. */
  z.object({ fetched: z.number(), frames: z.array(z.string()) }),
]);
type Word = z.infer<typeof wordSchema>;

type Served = Pick<LiveSource, 'size' | 'zeros'>;

/** What a start took from its store. */
export interface LiveFetched {
  /** Bytes. */
  fetched: number;
  /** `PACK OFFSET`, in the order in which they were asked for. */
  frames: string[];
}

export interface LiveSourceHost {
  processes: Processes;
  clock: Clock;
  /** The program and its arguments that call `serveLiveSource`. */
  command: readonly [string, ...string[]];
  /** Said when the store does not answer, and with nothing when it does again. */
  tell(problem: string | undefined): void;
}

const device = '/dev/nbd0';
const patience = 60_000;
/** As many as are told to a server. */
const mostFrames = 400;
/** Bytes: shorter runs are copied faster than a program is started. */
const leastZeros = 2 << 20;

/**
 * A version as a block device of this machine, until it is let go of. Another process gives the kernel its blocks: this one works on the file system that
 * is made of them, and would wait for itself.
 */
export class LiveSource implements AsyncDisposable {
  readonly device = device;
  /** Bytes. */
  readonly size: number;
  /** Runs of bytes that read as zeros, rising. */
  readonly zeros: readonly { start: number; length: number }[];
  /** As of a second ago. */
  readonly fetched: Readonly<LiveFetched>;
  readonly #server: RunningProcess;
  readonly #processes: Processes;
  readonly #file: FileHandle;

  private constructor(
    parts: Served & { fetched: LiveFetched; server: RunningProcess; processes: Processes; file: FileHandle },
  ) {
    this.size = parts.size;
    this.zeros = parts.zeros;
    this.fetched = parts.fetched;
    this.#server = parts.server;
    this.#processes = parts.processes;
    this.#file = parts.file;
  }

  /** Makes it. Errors: those of `openVersionDevice`, `process-failed` where the kernel has no network block devices. */
  static async attach(wish: LiveSourceWish, host: LiveSourceHost, signal: AbortSignal): Promise<LiveSource> {
    const { processes, tell, command } = host;
    await mkdir(wish.directory, { recursive: true, mode: 0o700 });
    await processes.run('modprobe', ['--all', '--quiet', 'nbd'], { timeout: patience, accept: [0, 1] });
    const [program, ...args] = command;
    const server = processes.start(program, args, { input: JSON.stringify(wish), stays: true });
    const fetched: LiveFetched = { fetched: 0, frames: [] };
    const seen = (now: LiveFetched) => Object.assign(fetched, now);
    try {
      const served = await ready(server, { tell, seen }, signal);
      const how = ['-preinit', '-size', String(served.size), '-block-size', '4096', '-readonly', '-timeout', '0'];
      const socket = socketOf(wish.directory);
      await processes.run('nbd-client', ['-unix', socket, device, ...how, '-systemd-mark'], { timeout: patience });
      const file = await open(device, 'r');
      return new LiveSource({ ...served, fetched, server, processes, file });
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Bytes of the device. */
  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, position + done).catch((error) => {
        throw toImprintError(error);
      });
      if (bytesRead === 0) throw new RangeError(`${device} ends before byte ${position + length}`);
      done += bytesRead;
    }
    return bytes;
  }

  /** Whether somebody waits for bytes of it at this moment. */
  async isWanted(): Promise<boolean> {
    const inflight = await readFile('/sys/block/nbd0/inflight', 'utf8').catch(() => '0');
    return Number.parseInt(inflight.trim(), 10) > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await this.#processes.run('nbd-client', ['-d', device], { timeout: patience, accept: [0, 1] });
    await this.#server.stop();
  }
}

function socketOf(directory: string): string {
  return join(directory, 'blocks');
}

/** Resolves with the device's size when it is served; what is said later is told. */
function ready(
  server: RunningProcess,
  { tell, seen }: Pick<LiveSourceHost, 'tell'> & { seen(fetched: LiveFetched): void },
  signal: AbortSignal,
): Promise<Served> {
  const { promise, resolve, reject } = Promise.withResolvers<Served>();
  createInterface({ input: server.stdout }).on('line', (line) => {
    const word = parseWord(line);
    if (word === undefined) return;
    if ('ready' in word) resolve({ size: word.ready, zeros: word.zeros });
    else if ('failed' in word) reject(ImprintError.fromValue(word.failed));
    else if ('fetched' in word) seen(word);
    else tell(word.problem ?? undefined);
  });
  server.stderr.resume();
  server.ended.then(
    () => reject(new ImprintError('internal', { problem: 'what gives the root its blocks ended' })),
    reject,
  );
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}

function parseWord(line: string): Word | undefined {
  try {
    return wordSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

export interface LiveServer {
  processes: Processes;
  clock: Clock;
  /** With a guard: what is fetched beside the manifest is believed by it. */
  openStore(location: string): Promise<Store>;
  /** One line of what there is to say. */
  say(line: string): void;
  /** Ends it. */
  signal: AbortSignal;
}

/**
 * Gives the kernel the blocks of a version, in a process of its own: the wish is what `LiveSource.attach` wrote to its standard input. Rejects when it cannot
 * begin, which was said, too.
 */
export async function serveLiveSource(text: string, server: LiveServer): Promise<void> {
  const { processes, clock, signal } = server;
  const say = (word: Word) => server.say(JSON.stringify(word));
  try {
    const { location, image, digest, directory, frames = [], ...how } = wishSchema.parse(JSON.parse(text));
    const file = join(directory, 'own');
    const socket = socketOf(directory);
    await rm(file, { force: true });
    await rm(socket, { force: true });
    const store = await server.openStore(location);
    const version = { image, digest: digest as Digest };
    const source = await openVersionDevice({ ...how, store, version, file, processes }, Task.silent(signal));
    const read = patientReads({
      read: (position, length) => source.read(position, length),
      ...{ clock, signal, tell: (problem) => say({ problem: problem?.message ?? null }) },
    });
    await using _served = await BlockServer.listen(socket, source.size, read);
    say({ ready: source.size, zeros: source.zeros(leastZeros) });
    void source.fetchAhead(frames, signal);
    let told = -1;
    const telling = setInterval(() => {
      const { bytes } = store.traffic;
      if (bytes !== told) say({ fetched: bytes, frames: source.fetched.order.slice(0, mostFrames) });
      told = bytes;
    }, 1000);
    signal.addEventListener('abort', () => clearInterval(telling), { once: true });
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  } catch (thrown) {
    say({ failed: toImprintError(thrown).toValue() });
    throw thrown;
  }
}
