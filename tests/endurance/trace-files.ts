import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, resolve } from 'node:path';

/**
 * Loaded before a program (`node --import`): notes every call that changes files below IMPRINT_TRACED, one JSON value a line in
 * IMPRINT_TRACE, in the order in which they were done. What `simulated-disk.ts` replays.
 */
export type TraceEvent =
  | { kind: 'create' | 'truncate' | 'sync' | 'mkdir' | 'remove'; path: string }
  | { kind: 'write'; path: string; data: string; at: number }
  | { kind: 'rename'; path: string; to: string }
  /** The program says that something is done, and must last. */
  | { kind: 'done'; what: string };

const below = `${process.env.IMPRINT_TRACED ?? ''}/`;
const log = fs.openSync(process.env.IMPRINT_TRACE ?? '/dev/null', 'a');
const plain = { ...fs };
const promises = { ...fs.promises };

function note(event: TraceEvent): void {
  if ('path' in event && !`${event.path}/`.startsWith(below)) return;
  plain.writeSync(log, `${JSON.stringify(event)}\n`);
}

const pathOf = (path: fs.PathLike) => resolve(String(path));
const writes = (flags: unknown) => /[wa+]/.test(String(flags ?? 'r'));
const paths = new Map<number, { path: string; at: number }>();

function opened(fd: number, path: string, flags: unknown): void {
  paths.set(fd, {
    path,
    at: plain.fstatSync(fd).isFile() && String(flags).startsWith('a') ? plain.fstatSync(fd).size : 0,
  });
}

function beforeOpen(path: string, flags: unknown): void {
  if (!writes(flags)) return;
  const there = plain.existsSync(path);
  if (!there) note({ kind: 'create', path });
  else if (String(flags).startsWith('w')) note({ kind: 'truncate', path });
}

function written(fd: number, bytes: Uint8Array): void {
  const file = paths.get(fd);
  if (file === undefined) return;
  note({ kind: 'write', path: file.path, data: Buffer.from(bytes).toString('base64'), at: file.at });
  file.at += bytes.length;
}

Object.assign(fs, {
  openSync: (path: fs.PathLike, flags?: string, mode?: number) => {
    beforeOpen(pathOf(path), flags);
    const fd = plain.openSync(path, flags ?? 'r', mode);
    opened(fd, pathOf(path), flags);
    return fd;
  },
  writeSync: (fd: number, bytes: Uint8Array, offset = 0, length = bytes.length - offset) => {
    const done = plain.writeSync(fd, bytes, offset, length);
    written(fd, bytes.subarray(offset, offset + done));
    return done;
  },
  fsyncSync: (fd: number) => {
    plain.fsyncSync(fd);
    const file = paths.get(fd);
    if (file !== undefined) note({ kind: 'sync', path: file.path });
  },
  closeSync: (fd: number) => {
    paths.delete(fd);
    plain.closeSync(fd);
  },
});

type Handle = fs.promises.FileHandle;

Object.assign(fs.promises, {
  open: async (path: fs.PathLike, flags?: string, mode?: number): Promise<Handle> => {
    beforeOpen(pathOf(path), flags);
    const handle = await promises.open(path, flags, mode);
    opened(handle.fd, pathOf(path), flags);
    const { writeFile, appendFile, sync, truncate } = handle;
    handle.writeFile = async (data, options) => {
      await writeFile.call(handle, data, options);
      written(handle.fd, Buffer.from(data as string));
    };
    handle.appendFile = async (data, options) => {
      await appendFile.call(handle, data, options);
      written(handle.fd, Buffer.from(data as string));
    };
    handle.truncate = async (length) => {
      await truncate.call(handle, length);
      note({ kind: 'truncate', path: pathOf(path) });
    };
    handle.sync = async () => {
      await sync.call(handle);
      note({ kind: 'sync', path: pathOf(path) });
    };
    return handle;
  },
  rename: async (from: fs.PathLike, to: fs.PathLike) => {
    await promises.rename(from, to);
    note({ kind: 'rename', path: pathOf(from), to: pathOf(to) });
  },
  rm: async (path: fs.PathLike, options?: fs.RmOptions) => {
    const there = plain.existsSync(path);
    await promises.rm(path, options);
    if (there) note({ kind: 'remove', path: pathOf(path) });
  },
  mkdir: async (path: fs.PathLike, options?: fs.MakeDirectoryOptions) => {
    const made: string[] = [];
    for (let each = pathOf(path); !plain.existsSync(each); each = dirname(each)) made.unshift(each);
    const result = await promises.mkdir(path, options);
    for (const each of made) note({ kind: 'mkdir', path: each });
    return result;
  },
});
syncBuiltinESMExports();
process.on('message', () => {});
Object.assign(globalThis, { imprintDone: (what: string) => note({ kind: 'done', what }) });
process.channel?.unref();
