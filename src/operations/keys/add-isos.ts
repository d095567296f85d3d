import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { KeyAddInput, KeyAddOutput, KeyIso } from '../../contract/operations/keys.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { Task } from '../../foundation/task.ts';
import { FormatError } from '../../image/format-error.ts';
import type { Context } from '../context.ts';
import { readKeyIndex, writeKeyIndex } from './key-index.ts';
import { authoritiesOfKey, type IsoLook, lookAtIso } from './look-at-iso.ts';
import { type OpenKey, openKey } from './open-key.ts';
import { hashFile, proveIso } from './prove-iso.ts';

const pieceLength = 4 << 20;
/** Names of what lies beside an ISO begin with the ISO's. */
export const besideEndings: readonly string[] = ['.vmlinuz', '.initrd'];
/** Room that is left beside what is asked for: directories, lists, files beside. */
const spare = 2 ** 20;

/**
 * `imprint key add`: copies ISO files onto a key, as they are. Each is looked into, verified and, once it is there, read back. What would not start from a file is
 * refused before anything is written. Errors: those of `keyAdd`, `io-failed`, `interrupted`.
 */
export async function addIsos(context: Context, input: KeyAddInput, task: Task): Promise<KeyAddOutput> {
  const key = await openKey(context, input.key, task);
  const looked = await task.part('look into them', async ({ signal }) => {
    const authorities = await authoritiesOfKey(context.processes, input.key, signal);
    const isos: { path: string; iso: KeyIso }[] = [];
    for (const path of input.isos) isos.push({ path, iso: await lookInto(path, { force: input.force, authorities }) });
    return isos;
  });
  const { partition } = key;
  const there = await readKeyIndex(partition);
  await requireRoom(
    key,
    looked.map(({ iso }) => iso),
    there,
    input.force,
    (await Promise.all(looked.map(({ path, iso }) => (iso.beside ? filesBeside(path) : [])))).flat(),
  );
  const added: KeyIso[] = [];
  for (const { path, iso } of looked) {
    const proof = await task.part(`verify ${iso.name}`, (part) =>
      proveIso(context.processes, path, input.trustedKeys, part),
    );
    const { sha256, ...rest } = proof;
    if (proof.checksum === undefined)
      task.warn(`${iso.name}: no checksum lies beside it, so nobody knows whether it is whole`);
    await partition.remove(iso.name);
    await task.part(`copy ${iso.name}`, (part) => copyOnto(context, key, path, { ...iso, sha256 }, part));
    for (const { ending, size } of iso.beside ? await filesBeside(path) : []) {
      const file = { name: `${iso.name}${ending}`, size };
      const hashes = await hashFile(`${path}${ending}`, Task.silent(task.signal));
      await partition.remove(file.name);
      await task.part(`copy ${file.name}`, (part) =>
        copyOnto(context, key, `${path}${ending}`, { ...file, sha256: hashes.sha256 }, part),
      );
    }
    const complete: KeyIso = { ...iso, sha256, proof: rest };
    added.push(complete);
    // Each by itself: what is on the key is known whatever comes after it.
    await writeKeyIndex(partition, [
      ...there.filter(({ name }) => !added.some((each) => each.name === name)),
      ...added,
    ]);
  }
  return { key: input.key, added, free: await partition.free() };
}

/** What an ISO is, and whether it starts. Errors: `iso-unfit`, `usage`, `io-failed`. */
async function lookInto(
  path: string,
  { force, authorities }: { force: boolean; authorities: readonly string[] },
): Promise<KeyIso> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile())
    throw new ImprintError('usage', { problem: `${path} is no file.`, hint: 'Name ISO files.' });
  const look = lookAtFile(path, authorities);
  if ((await filesBeside(path)).length > 0) {
    const { refusal: _, secureBoot: __, ...rest } = look;
    return { name: nameOnKey(path), size: found.size, ...rest, firmware: ['bios', 'uefi'], beside: true };
  }
  if (look.firmware.length === 0 && !force) {
    const hint = 'To put it there all the same: --force';
    throw new ImprintError('iso-unfit', { iso: path, problem: look.refusal ?? '', hint });
  }
  return { name: nameOnKey(path), size: found.size, ...look };
}

/** What starts an ISO in its own stead, where all of it lies beside it; else nothing. */
async function filesBeside(path: string): Promise<{ ending: string; size: number }[]> {
  const found = await Promise.all(besideEndings.map((ending) => stat(`${path}${ending}`).catch(() => undefined)));
  const files = found.flatMap((each, index) =>
    each?.isFile() ? [{ ending: besideEndings[index] ?? '', size: each.size }] : [],
  );
  return files.length === besideEndings.length ? files : [];
}

function lookAtFile(path: string, authorities: readonly string[]): IsoLook {
  const fd = openSync(path, 'r');
  try {
    const read = (position: number, length: number) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
    };
    return lookAtIso(read, authorities);
  } catch (error) {
    if (!(error instanceof FormatError)) throw toImprintError(error);
    const problem = `${error.message}, or not a whole one.`;
    throw new ImprintError('iso-unfit', { iso: path, problem, hint: 'Fetch it again.' }, { cause: error });
  } finally {
    closeSync(fd);
  }
}

/** The file's name on the key: what GRUB and the kernels take as one word. */
export function nameOnKey(path: string): string {
  const name = basename(path)
    .replaceAll(/[^\w.+~-]/g, '_')
    .replace(/^[.-]+/, '');
  return /\.iso$/i.test(name) ? name : `${name}.iso`;
}

/** Before anything is written. Errors: `target-exists`, `disk-full`. */
async function requireRoom(
  key: OpenKey,
  isos: readonly KeyIso[],
  there: readonly KeyIso[],
  force: boolean,
  beside: readonly { size: number }[],
): Promise<void> {
  const twice = isos.find(({ name }, index) => isos.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined)
    throw new ImprintError('usage', {
      problem: `Two of the files are called ${twice.name}.`,
      hint: 'Name one of them otherwise.',
    });
  const replaced = there.filter(({ name }) => isos.some((iso) => iso.name === name));
  if (replaced[0] !== undefined && !force)
    throw new ImprintError('target-exists', { path: replaced[0].name, problem: 'it is on the key already' });
  const total = (list: readonly { size: number }[]) => list.reduce((sum, { size }) => sum + size, 0);
  const free = (await key.partition.free()) + total(replaced) - spare;
  const needed = total(isos) + total(beside);
  if (needed <= free) return;
  const problem = `the ISO files need ${formatBytes(needed)}, and ${formatBytes(Math.max(0, free))} are free`;
  throw new ImprintError('key-full', { key: key.path, problem });
}

/** Copies, flushes, reads back. Errors: `iso-corrupt`, `io-failed`. */
async function copyOnto(context: Context, key: OpenKey, path: string, iso: KeyIso, task: Task): Promise<void> {
  const { partition } = key;
  task.expect(iso.size * 2, 'bytes');
  await partition.add(iso.name, iso.size, async (write) => {
    await using source = await open(path, 'r');
    const buffer = Buffer.allocUnsafe(pieceLength);
    for (let at = 0; at < iso.size; ) {
      task.signal.throwIfAborted();
      const { bytesRead } = await source.read(buffer, 0, pieceLength, at);
      if (bytesRead === 0)
        throw new ImprintError('iso-corrupt', { iso: path, problem: 'it became shorter while it was copied' });
      write(at, buffer.subarray(0, bytesRead));
      at += bytesRead;
      task.advance(bytesRead);
    }
  });
  // What comes back shall come from the stick, and not from memory.
  if (key.isDevice) await context.processes.run('blockdev', ['--flushbufs', key.path], { timeout: 600_000 });
  if ((await hashOnKey(partition, iso, (bytes) => task.advance(bytes))) === iso.sha256) return;
  await partition.remove(iso.name);
  throw new ImprintError('iso-corrupt', {
    iso: path,
    problem: `${key.path} gave back other bytes than were written: it is broken`,
  });
}

/** SHA-256 of a file as it is on the key. */
export async function hashOnKey(
  partition: OpenKey['partition'],
  file: { name: string; size: number },
  read: (bytes: number) => void,
): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of partition.read(file)) {
    hash.update(piece);
    read(piece.length);
  }
  return hash.digest('hex');
}
