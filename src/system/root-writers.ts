import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import type { Processes } from './run.ts';

const patience = 60_000;
const env = { DM_DISABLE_UDEV: '1' };
const longestPause = 500;

/** What can be done to those who write to the root of a system that runs, from beside it. */
export interface RootWriters {
  /** Lets nothing reach the root for so many milliseconds, half a second at most. */
  hold(milliseconds: number): Promise<void>;
  /** Nothing is written to the root any more: what was not yet is written now, what comes later is refused. */
  stop(): Promise<void>;
  /** Takes that back. */
  release(): Promise<void>;
  /** Bytes that may wait to be written, of all file systems; undefined: as it was. */
  limit(bytes: number | undefined): Promise<void>;
  /** A line to everybody who is logged in. */
  tell(line: string): Promise<void>;
}

/** Of a system whose root is the device-mapper device `name`; `root` is where this process sees it. */
export function rootWriters(
  processes: Processes,
  clock: Clock,
  { name, root }: { name: string; root: string },
): RootWriters {
  const dmsetup = (...args: string[]) => processes.run('dmsetup', args, { timeout: patience, env });
  const remount = (how: string, point: string) =>
    processes.run('chroot', [root, 'mount', '-o', `remount,${how}`, point], { timeout: patience });
  let before: readonly (readonly [string, string])[] | undefined;
  return {
    async hold(milliseconds) {
      await dmsetup('suspend', '--nolockfs', '--noflush', name);
      try {
        await clock.sleep(Math.min(longestPause, milliseconds));
      } finally {
        await dmsetup('resume', name);
      }
    },
    async stop() {
      const writable = await writableDisks();
      // As an emergency: it may have files that are open for writing.
      await writeFile('/proc/sysrq-trigger', 'u');
      for (let waited = 0; waited < 20_000 && (await writableDisks()).includes('/'); waited += 200)
        await clock.sleep(200);
      // That had all disks; only the root was meant.
      for (const point of writable) if (point !== '/') await remount('rw', point).catch(() => {});
    },
    async release() {
      if (!(await writableDisks()).includes('/')) await remount('rw', '/');
    },
    async limit(bytes) {
      before ??= await Promise.all(limits.map(async (path) => [path, await readFile(path, 'utf8')] as const));
      if (bytes === undefined) {
        // Of each pair one is 0, and counts by being that.
        for (const [path, value] of before) if (value.trim() !== '0') await writeFile(path, value);
        return;
      }
      await writeFile(dirty('dirty_background_bytes'), String(Math.max(1 << 20, Math.floor(bytes / 2))));
      await writeFile(dirty('dirty_bytes'), String(bytes));
    },
    async tell(line) {
      const terminals = await readdir(join(root, 'dev/pts')).catch((): string[] => []);
      const consoles = (await readFile('/sys/class/tty/console/active', 'utf8').catch(() => '')).trim().split(/\s+/);
      const paths = [
        ...terminals.filter((each) => /^\d+$/.test(each)).map((each) => join(root, 'dev/pts', each)),
        ...consoles.filter((each) => each !== '').map((each) => `/dev/${each}`),
      ];
      for (const path of paths) {
        // One that somebody stopped with Ctrl-S must stop nobody else.
        const written = appendFile(path, `\r\n${line}\r\n`).catch(() => {});
        await Promise.race([written, clock.sleep(500)]);
      }
    },
  };
}

const dirty = (name: string) => `/proc/sys/vm/${name}`;
const limits = ['dirty_background_bytes', 'dirty_bytes', 'dirty_background_ratio', 'dirty_ratio'].map(dirty);

/** Mount points of the system with a disk below them that can be written. */
async function writableDisks(): Promise<string[]> {
  // As its first process sees them.
  return writableMounts(await readFile('/proc/1/mounts', 'utf8'));
}

/** Those of a table as `/proc/mounts` has it: of devices, and for writing. */
export function writableMounts(table: string): string[] {
  return table
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([device = '', , , options = '']) => device.startsWith('/dev/') && options.split(',').includes('rw'))
    .map(([, point = '']) =>
      point.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}
