import { readdir } from 'node:fs/promises';
import type { Digest } from '../foundation/brand.ts';
import { ifThere } from './directory-files.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably, syncDirectory, writeFilesDurably } from './durable.ts';
import {
  bundlesDirectory,
  damagedMarkPath,
  isHexHash,
  manifestPath,
  packPath,
  retiredMarkPath,
  tagPath,
} from './layout.ts';
import { holdManifest } from './lease.ts';
import { formatRetiredMark, readRetiredMark } from './retired-mark.ts';
import { readTag } from './version-files.ts';

/** A pack that is to go, and the versions of which none may be leased when it goes. */
export interface Condemned {
  pack: string;
  users: readonly Digest[];
}

/**
 * Deletes packs, under the store's lock, while readers of their users are kept waiting; a pack with a user that is leased
 * stays. Gives those that went.
 */
export async function deletePacks(store: DirectoryStore, condemned: readonly Condemned[]): Promise<Set<string>> {
  const gone = new Set<string>();
  if (condemned.length === 0) return gone;
  const held = new Map<Digest, Disposable | 'leased' | undefined>();
  try {
    for (const user of new Set(condemned.flatMap(({ users }) => users)))
      held.set(user, await holdManifest(store.path(manifestPath(user))));
    for (const { pack, users } of condemned) {
      if (users.some((user) => held.get(user) === 'leased')) continue;
      await removeDurably(
        ...[packPath(pack), damagedMarkPath(pack), retiredMarkPath(pack)].map((path) => store.path(path)),
      );
      gone.add(pack);
    }
  } finally {
    for (const hold of held.values()) if (typeof hold === 'object') hold[Symbol.dispose]();
  }
  await syncDirectory(store.path('packs'));
  return gone;
}

/** Marks packs as retired, with their users beside those that an earlier mark names; together, as that costs little more than one. */
export async function retirePacks(
  store: DirectoryStore,
  condemned: readonly Condemned[],
  temporary: string,
): Promise<void> {
  const files: { path: string; content: string }[] = [];
  // Sorted, so that each directory is synced once.
  for (const { pack, users } of condemned.toSorted((left, right) => (left.pack < right.pack ? -1 : 1))) {
    const before = await readRetiredMark(store, pack);
    const content = formatRetiredMark([...new Set([...users, ...(before?.users ?? [])])]);
    files.push({ path: store.path(retiredMarkPath(pack)), content });
  }
  if (files.length > 0) await writeFilesDurably(files, temporary);
}

/**
 * Lists, use files and hints of manifests that are not there, and marks of packs that are not there: leftovers of a kill. Bundles from or to versions that are gone.
 */
export async function strayFiles(store: DirectoryStore): Promise<string[]> {
  const manifests = await store.directoryFiles.names('manifests');
  const there = new Set(manifests);
  const belonging: [directory: string, ending: string][] = [
    ['manifests', '.packs'],
    ['uses', '.uses'],
    ['hints', '.hints'],
  ];
  const stray: string[] = [];
  for (const [directory, ending] of belonging) {
    for (const name of directory === 'manifests' ? manifests : await store.directoryFiles.names(directory)) {
      const hex = name.slice(0, 64);
      if (isHexHash(hex) && name === hex + ending && !there.has(`${hex}.manifest`)) stray.push(`${directory}/${name}`);
    }
  }
  for (const directory of await store.directoryFiles.names('packs')) {
    if (!/^[0-9a-f]{2}$/.test(directory)) continue;
    const names = new Set((await ifThere(readdir(store.path(`packs/${directory}`)))) ?? []);
    for (const name of names) {
      const pack = name.slice(0, 64);
      const mark = isHexHash(pack) && (name === `${pack}.damaged` || name === `${pack}.retired`);
      if (mark && !names.has(`${pack}.pack`)) stray.push(`packs/${directory}/${name}`);
    }
  }
  for (const name of await store.directoryFiles.names(bundlesDirectory)) {
    const match = /^([0-9a-f]{64})-([0-9a-f]{64})\.bundle$/.exec(name);
    const whole = match?.slice(1).every((hex) => there.has(`${hex}.manifest`));
    if (whole === false) stray.push(`${bundlesDirectory}/${name}`);
  }
  return [...stray, ...(await strayTags(store))];
}

/** Tags of versions that were removed. */
async function strayTags(store: DirectoryStore): Promise<string[]> {
  const stray: string[] = [];
  for (const image of await store.directoryFiles.names('images')) {
    const { removed } = await store.numbers(image);
    for (const tag of removed.length > 0 ? await store.directoryFiles.names(`images/${image}/tags`) : []) {
      const target = await readTag(store.files, image, tag).catch(() => undefined);
      if (target !== undefined && removed.includes(target.number)) stray.push(tagPath(image, tag));
    }
  }
  return stray;
}
