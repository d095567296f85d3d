import type { Digest } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { CopiedMap } from '../../machine/copied-map.ts';
import { liveArea } from '../../machine/live-area.ts';
import { type LiveRecord, livePhases } from '../../machine/live-record.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import { liveDevices } from '../../planning/live-tables.ts';
import type { Step, StepOf } from '../../planning/step.ts';
import type { Store } from '../../store/store.ts';
import { loadDeviceMapper, removeMapped } from '../../system/device-mapper.ts';
import { growFileSystem } from '../../system/filesystem.ts';
import { processorTime } from '../../system/idle-time.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import { deviceSize } from '../../system/partition.ts';
import type { LiveRoot } from '../install/install-context.ts';
import { Pacer } from '../update/pacer.ts';
import { awaitCalm } from './await-calm.ts';
import { resolveLiveSource } from './built-versions.ts';
import { diskMachine, setTables } from './disk-machine.ts';
import type { FoundLive } from './find-live.ts';
import { keepMoving } from './keep-moving.ts';
import { bootImager, bootSystem, hasBoot, tellAgent } from './live-boot.ts';
import { LiveDisk } from './live-disk.ts';
import type { LiveHost } from './live-host.ts';
import { type LiveNote, renderNote, stepsAfterStart, stepsToGoOn } from './live-note.ts';
import type { LiveOrigin, RunningRoot } from './live-origin.ts';
import { type LiveFetched, LiveSource } from './live-source.ts';
import { brokenWords, tellSource } from './live-words.ts';
import { beginLive, type LiveMachine, moveRoot } from './move-root.ts';
import { keepRunning, takeOver } from './take-over.ts';

/** What is brought, and what is left to do when the system runs. */
export interface LiveContent {
  name: string;
  reference: string;
  record: string;
  recordSignature: string;
  order: string;
  digest: Digest;
  store: Store;
  /** Its URL or path. */
  location: string;
  /** Bytes of content per second; absent: as fast as it goes. */
  limit?: number;
  /** What earlier starts of the version read first. */
  frames?: readonly string[];
  /** Told what this start read until the move began. */
  learned?(frames: readonly string[]): Promise<void>;
  /** The root that moves, where it is in use already; absent: it is made. */
  running?: RunningRoot;
}

const root = `/dev/mapper/${liveDevices.root}`;
/** Sectors that are copied at a time, and after how many it is made lasting. */
const [atOnce, keepAfter] = [4096, 131_072];
const toolPatience = 120_000;

/** A machine that is in use before its content is there. One for each start. */
export class LiveInstall implements LiveRoot {
  readonly #host: LiveHost;
  readonly #content: LiveContent;
  /** All steps of the install. */
  steps: readonly Step[] = [];
  #disk: LiveDisk | undefined;
  #source: LiveOrigin | undefined;
  #record: LiveRecord | undefined;
  #note: LiveNote | undefined;
  #map: CopiedMap | undefined;
  #fetched: Readonly<LiveFetched> | undefined;
  #handedOver = false;
  #problem: string | undefined;
  /** Whether the disk has note and record. */
  #isKept = false;
  /** Whether nothing but the move itself is left. */
  #isMoving = false;

  constructor(host: LiveHost, content: LiveContent) {
    this.#host = host;
    this.#content = content;
  }

  /** Whether the system runs: what fails from then on is no reason to restart the machine. */
  get handedOver(): boolean {
    return this.#handedOver || this.#content.running !== undefined;
  }

  get digest(): Digest {
    return this.#content.digest;
  }

  /** The partition that it moves onto; undefined: nobody knows yet. */
  get device(): string | undefined {
    return this.#note?.device;
  }

  /** Why the source cannot be read now; undefined: it can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether the source is still read. */
  get needsSource(): boolean {
    return this.#source !== undefined;
  }

  /** Refuses, before anything is written, a root whose file system nobody made. Errors: `live-source-missing`, what a guard says. */
  async check(fileSystem: RootFileSystem): Promise<void> {
    const { store, digest, reference } = this.#content;
    // What runs already was found when it was started.
    if (fileSystem === 'ext4' || this.#content.running !== undefined) return;
    await resolveLiveSource(store, { digest, image: imageOf(reference) }, fileSystem);
  }

  async start({ device, fileSystem, uuid, bytes }: StepOf<'start-live'>, task: Task): Promise<void> {
    const { name, reference, digest, record, recordSignature, location, order, running } = this.#content;
    const { processes, target } = this.#host;
    const time = running?.time ?? Math.floor(this.#host.clock.now() / 1000);
    const length = (await deviceSize(device)) / 512;
    this.#source = running?.origin;
    const size = (running ? bytes : (await this.#openSource({ fileSystem, uuid, time, bytes }, task)).size) / 512;
    const area = liveArea(length, size);
    if (area === undefined) throw new ImprintError('internal', { problem: `${device} has no room for a live system` });
    const { changesAt, changesLength } = area;
    const first: LiveRecord = {
      ...{ sequence: 1, phase: 'copying', source: `${digest}/${fileSystem}/${uuid}/${time}`, size, start: 0, length },
      ...{ changesAt, changesLength },
    };
    this.#note = {
      ...{ format: 1, name, reference, digest, record, recordSignature, store: location },
      ...{ device, uuid, fileSystem, time },
      ...{ order, steps: stepsAfterStart(this.steps) },
    };
    const disk = await LiveDisk.fresh(device, first);
    this.#disk = disk;
    if (running === undefined) await this.#attach(first, this.#note, undefined, task);
    else {
      this.#record = first;
      this.#map = new CopiedMap(size, atOnce);
      await takeOver(this.#machine(disk, first, this.#map, task), { disk, record: first, running, processes }, task);
    }
    await growFileSystem(processes, { fileSystem, directory: target, device: root }, task.signal);
  }

  /** Goes on with a move that an earlier start began: makes the root again, and mounts it. */
  async resume({ record, note }: FoundLive, task: Task): Promise<void> {
    const disk = await LiveDisk.open(note.device);
    this.#disk = disk;
    this.#note = note;
    this.#isKept = true;
    // Which of the two is to be written next.
    await disk.record(record.length);
    await this.#setSteps(note);
    if (record.phase !== 'done' && (await disk.reviveChanges(record)))
      task.warn('The disk could not keep a change at the last start. What had been synced until then is there.');
    const bits = record.phase === 'copying' ? await disk.copied(record) : undefined;
    await this.#attach(record, note, bits, task);
  }

  /** Goes on where this start broke off: with what is known to last. */
  async goOn(): Promise<void> {
    const { note } = this.#begun();
    this.#map?.forget();
    this.steps = stepsToGoOn(this.steps, note.steps, { isKept: this.#isKept, isMoving: this.#isMoving });
    await this.#setTables(note.device);
  }

  async #setSteps({ steps }: LiveNote): Promise<void> {
    const done = await hasBoot(this.#host, steps);
    this.steps = steps.filter(({ kind }) => !done || kind === 'hand-over' || kind === 'move-live');
  }

  async handOver(task: Task): Promise<void> {
    await this.#orTell(() => this.#handOver(task), task);
  }

  async #handOver(task: Task): Promise<void> {
    const [{ processes }, { running }] = [this.#host, this.#content];
    const { disk, record, note } = this.#begun();
    if (running !== undefined && this.#map !== undefined && record.phase === 'copying')
      await keepRunning(this.#machine(disk, record, this.#map, task), { running, atOnce }, task);
    await processes.run('sync', [], { timeout: 600_000 });
    if (!this.#isKept) {
      await disk.keepNote(record, renderNote(note));
      await disk.keepRecord(record);
      this.#isKept = true;
    }
    task.signal.throwIfAborted();
    if (!this.handedOver) await this.#host.handOver();
    this.#handedOver = true;
    const came = this.#fetched === undefined ? '' : ` ${formatBytes(this.#fetched.fetched)} were fetched for it.`;
    task.log(`The system runs. From now on nothing that it keeps is lost by a power cut.${came}`);
  }

  async move(step: StepOf<'move-live'>, task: Task): Promise<void> {
    await this.#orTell(() => this.#move(step, task), task);
  }

  async #move({ boot, entry, fileSystem }: StepOf<'move-live'>, task: Task): Promise<void> {
    const { processes, clock, target } = this.#host;
    const { disk, record, note } = this.#begun();
    this.#isMoving = true;
    if (record.phase !== 'done') {
      // At once: until then the disk by itself starts nothing.
      await bootImager(this.#host, { device: boot, good: entry }, task);
      if (this.#content.running === undefined) await this.#awaitCalm(task);
    }
    await this.#tellFetched(task);
    const map = this.#map ?? new CopiedMap(record.size, atOnce);
    task.expect(record.size * 512, 'bytes');
    task.advance(record.phase === 'copying' ? map.copied * 512 : record.size * 512);
    const machine = this.#machine(disk, record, map, task);
    const places = { disk: note.device, ...(this.#source && { source: this.#source.device }) };
    await this.#clearZeros(note.device, record, map, task);
    const now = () => this.#record ?? record;
    await keepMoving(
      {
        attempt: async () => {
          await moveRoot({ machine, record: now(), places, next: () => map.next(), keepAfter, clock }, task);
        },
        progress: () => livePhases.indexOf(now().phase) * 2 ** 40 + map.copied,
        failed: () => task.advance(-512 * map.forget()),
        mend: () => this.#setTables(places.disk),
        clock,
      },
      task,
    );
    await bootSystem(this.#host, { device: boot, good: entry });
    await disk.forgetRecords(record.length);
    await growFileSystem(processes, { fileSystem, directory: target, device: root }, task.signal);
    await disk[Symbol.asyncDispose]();
    // What is asked of the partition itself shall not be answered by what was there before.
    await processes.run('blockdev', ['--flushbufs', note.device], { timeout: toolPatience, accept: [0, 1] });
    await unmountTree(processes, target, clock).catch((error) => task.warn(toImprintError(error).message));
    const told = tellAgent(this.#host, { device: boot, good: entry });
    await told.catch((error) => task.warn(toImprintError(error).message));
  }

  /** Lets go of everything where the system was not started. Never rejects. */
  async abandon(): Promise<void> {
    if (this.handedOver) return;
    const { processes, clock, target } = this.#host;
    const quietly = (work: PromiseLike<unknown> | undefined) => Promise.resolve(work).catch(() => {});
    await quietly(unmountTree(processes, target, clock));
    for (const device of ['root', 'top', 'changes', 'base'] as const)
      await quietly(removeMapped(processes, liveDevices[device]));
    await quietly(this.#source?.[Symbol.asyncDispose]());
    await quietly(this.#disk?.[Symbol.asyncDispose]());
  }

  #begun(): { disk: LiveDisk; record: LiveRecord; note: LiveNote } {
    if (this.#disk === undefined || this.#record === undefined || this.#note === undefined)
      throw new ImprintError('internal', { problem: 'the live system was not begun' });
    return { disk: this.#disk, record: this.#record, note: this.#note };
  }

  /** The version as a block device, of at most so many bytes. */
  async #openSource(
    { fileSystem, uuid, time, bytes }: Pick<LiveNote, 'fileSystem' | 'uuid' | 'time'> & { bytes: number },
    task: Task,
  ): Promise<LiveSource> {
    const { processes, clock, directory, room, serveCommand: command } = this.#host;
    const { location, digest, reference, frames = [] } = this.#content;
    const what = { location, image: imageOf(reference), digest, fileSystem, size: bytes, uuid, time };
    const wish = { ...what, room, directory, frames: [...frames] };
    const { sourceTold } = this.#host;
    const tell = (problem: string | undefined) => {
      this.#problem = problem;
      tellSource(task, problem, sourceTold);
    };
    const source = await LiveSource.attach(wish, { processes, clock, command, tell }, task.signal);
    this.#source = source;
    this.#fetched = source.fetched;
    return source;
  }

  /** Device, tables, mount. */
  async #attach(record: LiveRecord, note: LiveNote, bits: Uint8Array | undefined, task: Task): Promise<void> {
    const { processes, clock, target } = this.#host;
    this.#record = record;
    const map = new CopiedMap(record.size, atOnce, bits);
    this.#map = map;
    await loadDeviceMapper(processes);
    if (record.phase === 'copying' && this.#source === undefined)
      await this.#openSource({ ...note, bytes: record.size * 512 }, task);
    const places = {
      disk: note.device,
      copied: record.phase === 'copying' ? map.runs() : [],
      ...(this.#source && { source: this.#source.device }),
    };
    const disk = this.#begun().disk;
    await beginLive(this.#machine(disk, record, map, task), record, places);
    await unmountTree(processes, target, clock);
    const { fileSystem: type } = note;
    await mountDevice(processes, { device: root, directory: target, type, options: 'noatime' }, task.signal);
  }

  /** What reads as zeros is not carried: the disk makes it itself. What lies there already may have come from memory. */
  async #clearZeros(device: string, { phase, size }: LiveRecord, map: CopiedMap, task: Task): Promise<void> {
    const zeros = phase === 'copying' ? (this.#source?.zeros ?? []) : [];
    const within = zeros.map(({ start, length }) => ({ start: start / 512, length: length / 512 }));
    for (const run of within.flatMap((each) => (each.start + each.length > size ? [] : map.gaps(each)))) {
      // Copied faster than a program is started.
      if (run.length < atOnce) continue;
      const range = ['--offset', String(run.start * 512), '--length', String(run.length * 512), device];
      try {
        // By force: the partition is in use, by us.
        const options = { timeout: 600_000, signal: task.signal };
        await this.#host.processes.run('blkdiscard', ['--force', '--zeroout', ...range], options);
      } catch (thrown) {
        task.signal.throwIfAborted();
        // Zeros are copied, then, like everything else.
        task.log(toImprintError(thrown).message);
        return;
      }
      task.advance(map.mark(run) * 512);
    }
  }

  /** Who waits for the system waits for nothing else. */
  async #awaitCalm(task: Task): Promise<void> {
    task.log('Nothing is copied until the system has come up.');
    const fetched = () => this.#fetched?.fetched ?? 0;
    await awaitCalm({ processorTime, fetched, clock: this.#host.clock }, task);
  }

  /** What was read until now is what the next start of the same version wants first. */
  async #tellFetched(task: Task): Promise<void> {
    if (this.#fetched === undefined) return;
    const { fetched, frames } = this.#fetched;
    task.log(`${formatBytes(fetched)} were fetched for what was in use so far.`);
    await this.#content.learned?.(frames).catch((error) => task.log(toImprintError(error).message));
  }

  /** Who works in the system hears of it where a disk breaks the move off. */
  async #orTell(work: () => Promise<void>, task: Task): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      const words = brokenWords(this.#note?.device ?? 'the disk', toImprintError(thrown));
      if (this.handedOver && !task.signal.aborted) void this.#host.tell(`imprint: ${words}`);
      throw thrown;
    }
  }

  /** What broke off in the middle of a change is brought to what was written down. */
  async #setTables(disk: string): Promise<void> {
    const record = this.#record;
    if (record === undefined || record.phase === 'copying') return;
    await setTables(this.#host.processes, record, disk);
    await this.#releaseSource();
  }

  async #releaseSource(): Promise<void> {
    await this.#source?.[Symbol.asyncDispose]();
    this.#source = undefined;
  }

  #machine(disk: LiveDisk, record: LiveRecord, map: CopiedMap, task: Task): LiveMachine {
    const { processes, clock } = this.#host;
    const pacer = new Pacer(this.#content.limit, task.signal, clock);
    return diskMachine(
      {
        ...{ processes, clock, disk, record, map, pacer },
        source: () => this.#source,
        phase: () => this.#record?.phase,
        kept: (next) => {
          this.#record = next;
        },
        release: () => this.#releaseSource(),
      },
      task,
    );
  }
}

/** `web` of `web:3`. */
function imageOf(reference: string): string {
  return reference.slice(0, reference.lastIndexOf(':'));
}
