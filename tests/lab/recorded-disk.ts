import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { open, rm, stat, writeFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { rawPath } from '../../src/foundation/brand.ts';
import { setXattr } from '../../src/native/attributes.ts';
import { mount, unmount } from '../../src/native/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import type { RecordedDiskData } from './recorded-disk-worker.ts';

/** MS_NOSUID, MS_NODEV of sys/mount.h. */
const mountFlags = 2 | 4;

/**
 * A disk of this computer, a loop device, of which every write and every flush is noted in the order in which the kernel's file systems
 * make them: what a power cut may leave of a system's work is seen without booting it (`cut-disks.ts`). The log has the form of
 * `write-log.ts`. Needs root and FUSE. Goes with `await using`; what was mounted of it must be unmounted before.
 */
export class RecordedDisk implements AsyncDisposable {
  readonly device: string;
  readonly file: string;
  readonly log: string;
  readonly #export: string;
  readonly #ended: Promise<unknown>;

  private constructor(device: string, file: string, log: string, exported: string, ended: Promise<unknown>) {
    this.device = device;
    this.file = file;
    this.log = log;
    this.#export = exported;
    this.#ended = ended;
  }

  /** Attaches the raw disk `file`, whose bytes change as they are written. The log is a new file, `FILE.log`. */
  static async attach(file: string): Promise<RecordedDisk> {
    const [log, exported] = [`${file}.log`, `${file}.recorded`];
    await writeFile(log, '');
    await writeFile(exported, '');
    const device = openSync('/dev/fuse', 'r+');
    const data: RecordedDiskData = { device, file, size: (await stat(file)).size, log };
    const access = 'rootmode=100600,user_id=0,group_id=0,allow_other';
    mount('imprint-recorded-disk', rawPath(exported), 'fuse', mountFlags, `fd=${device},${access},max_read=1048576`);
    const worker = new Worker(new URL('./recorded-disk-worker.ts', import.meta.url), {
      workerData: data,
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    const ended = once(worker, 'exit').then(() => closeSync(device));
    try {
      const { stdout } = await systemProcesses.run('losetup', ['--find', '--show', exported], { timeout: 30_000 });
      await systemProcesses.run('partx', ['--update', stdout.trim()], { accept: [0, 1], timeout: 30_000 });
      return new RecordedDisk(stdout.trim(), file, log, exported, ended);
    } catch (error) {
      unmount(rawPath(exported), true);
      await ended;
      throw error;
    }
  }

  /** Puts a name into the log: `WriteLog.mark` finds it. */
  mark(name: string): void {
    setXattr(rawPath(this.#export), 'user.imprint.mark', Buffer.from(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await systemProcesses.run('partx', ['--delete', this.device], { accept: [0, 1], timeout: 30_000 });
    await systemProcesses.run('losetup', ['--detach', this.device], { timeout: 30_000 });
    // The loop device lets go of the file a moment after it was told to.
    await untilDetached(this.#export);
    unmount(rawPath(this.#export));
    await this.#ended;
    await rm(this.#export);
    await using log = await open(this.log, 'r');
    await log.sync();
  }
}

async function untilDetached(file: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const { stdout } = await systemProcesses.run('losetup', ['--associated', file], { timeout: 30_000 });
    if (stdout.trim() === '') return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${file} is still in use: is something of it mounted?`);
}
