import { constants } from 'node:fs';
import { chmod, copyFile, lchown, lstat, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import type { RecipeFile } from '../../machine/recipe.ts';
import { rootFiles } from '../../system/root-files.ts';

/**
 * Lays a file of a recipe into a tree. Missing directories are made; what was there is replaced, save a directory by a directory. Everything is
 * root's unless the recipe says otherwise.
 *
 * @param directory of the recipe: sources are found from there
 * Errors: `recipe-invalid` where a source is not there, or a user is not known in the tree.
 */
export async function layFile(root: string, file: RecipeFile, directory: string): Promise<void> {
  const ids = { uid: await idOf(root, 'passwd', file.owner), gid: await idOf(root, 'group', file.group) };
  if (file.source !== undefined) return copy({ root, file, ids }, resolve(directory, file.source), file.path);
  if (file.content !== undefined) {
    const place = await placeOf(root, file.path);
    await clear(place);
    await writeFile(place, file.content, { mode: 0o644, flag: 'wx' });
    return settle(place, ids, file.mode ?? 0o644);
  }
  if (file.link !== undefined) {
    const place = await placeOf(root, file.path);
    await clear(place);
    await symlink(file.link, place);
    return settle(place, ids);
  }
  await makeDirectory(root, file.path);
  return settle(await rootFiles(root).resolve(file.path), ids, file.mode ?? 0o755);
}

interface Ids {
  uid: number;
  gid: number;
}

interface Laying {
  root: string;
  file: RecipeFile;
  ids: Ids;
}

/** Copies what lies at `source` on this machine to `path` in the tree, and all that is in it. */
async function copy(laying: Laying, source: string, path: string): Promise<void> {
  const { root, file, ids } = laying;
  const found = await lstat(source).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new ImprintError('recipe-invalid', { place: file.path, problem: `its source ${source} is not there` });
  });
  if (found.isDirectory()) {
    // One that was there stays as it was: /etc does not become the recipe's.
    if (await makeDirectory(root, path)) await settle(await rootFiles(root).resolve(path), ids, found.mode & 0o7777);
    for (const name of (await readdir(source)).toSorted()) await copy(laying, join(source, name), `${path}/${name}`);
    return;
  }
  const place = await placeOf(root, path);
  if (found.isSymbolicLink()) {
    await clear(place);
    await symlink(await readlink(source), place);
    await settle(place, ids);
  } else if (found.isFile()) {
    await clear(place);
    await copyFile(source, place, constants.COPYFILE_EXCL);
    await settle(place, ids, file.mode ?? found.mode & 0o7777);
  } else
    throw new ImprintError('recipe-invalid', {
      place: file.path,
      problem: `${source} is neither file, directory nor link`,
    });
}

/** Where a path of the tree lies on this machine, the directories before it made, and links on the way followed inside the tree. */
async function placeOf(root: string, path: string): Promise<string> {
  const files = rootFiles(root);
  const wanted = path.replaceAll(/\/+/g, '/').replace(/^\/|\/$/g, '');
  if (wanted === '') return root;
  await files.makeDirectory(dirname(wanted));
  return join(await files.resolve(dirname(wanted)), basename(wanted));
}

async function clear(place: string): Promise<void> {
  await rm(place, { recursive: true, force: true });
}

/** Whether it was made: a directory that is there already, or a link to one inside the tree (as /lib is), is no new one. */
async function makeDirectory(root: string, path: string): Promise<boolean> {
  const place = await rootFiles(root).resolve(path);
  if ((await lstat(place).catch(() => undefined))?.isDirectory()) return false;
  await rootFiles(root).makeDirectory(path);
  return true;
}

async function settle(place: string, { uid, gid }: Ids, mode?: number): Promise<void> {
  await lchown(place, uid, gid);
  // After the owner: changing that takes set-uid bits away.
  if (mode !== undefined) await chmod(place, mode);
}

async function idOf(root: string, table: 'passwd' | 'group', name: string | undefined): Promise<number> {
  if (name === undefined) return 0;
  if (/^\d+$/.test(name)) return Number(name);
  const text = (await rootFiles(root).read(`etc/${table}`)) ?? '';
  const line = text.split('\n').find((each) => each.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2]);
  if (line !== undefined && Number.isSafeInteger(id)) return id;
  const kind = table === 'passwd' ? 'user' : 'group';
  throw new ImprintError('recipe-invalid', { place: `etc/${table}`, problem: `the tree has no ${kind} “${name}”` });
}
