import type { z } from 'zod';
import type { ImageDiff, imageDiff, ListedChange } from '../contract/operations/comparisons.ts';
import { type Digest, displayPath, type RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { changedAttributes, diffManifests, type EntryChange, findMoves } from '../image/diff.ts';
import type { Entry } from '../image/entry.ts';
import { diffPackages, type PackageChange } from '../machine/packages/package-database.ts';
import type { Store, StoredVersion } from '../store/store.ts';
import type { Context } from './context.ts';
import { attributeWords } from './describe-attribute.ts';
import { findEntry, rawArgument } from './find-entry.ts';
import { type InstalledPackages, isSurveyed, PackageSurvey } from './installed-packages.ts';
import { rawOf } from './list-entries.ts';

/**
 * What differs between two versions: packages by the databases of their package managers, and paths by attribute, each with
 * the package that it belongs to. Two manifests are read, and of contents the package databases alone.
 */
export async function diffVersions(
  context: Pick<Context, 'store'>,
  input: z.output<typeof imageDiff.input>,
  task: Task,
): Promise<ImageDiff> {
  const store = await context.store();
  const [from, to] = await chooseVersions(store, input.from, input.to);
  const digests = { before: digestOf(from), after: digestOf(to) };
  const surveys = { before: new PackageSurvey(), after: new PackageSurvey() };
  const found: EntryChange[] = [];
  let onlyTimes = 0;
  const wanted = input.path === undefined ? undefined : await pathFilter(store, [to, from], input.path, task.signal);
  if (digests.before !== digests.after) {
    const pairs = diffManifests(store.messages(digests.before), store.messages(digests.after), {
      wants: isSurveyed,
      see: (side, entry) => surveys[side].see(entry),
    });
    for await (const changes of pairs) {
      task.signal.throwIfAborted();
      for (const change of changes) {
        if (wanted !== undefined && !wanted(change.path)) continue;
        if (!input.times && onlyTimeDiffers(change)) onlyTimes += 1;
        else found.push(change);
      }
    }
  }
  const same = found.length === 0 && surveys.before.fingerprint() === surveys.after.fingerprint();
  const [before, after] = same
    ? [nothing, nothing]
    : await Promise.all([
        surveys.before.read(store, digests.before, task.signal),
        surveys.after.read(store, digests.after, task.signal),
      ]);
  const changes = findMoves(found).map((change) =>
    listChange(change, after.owners.get(change.path) ?? before.owners.get(change.path)),
  );
  return {
    from: nameOf(from),
    to: nameOf(to),
    packages: countPaths(diffPackages(before.packages, after.packages), changes),
    changes,
    onlyTimes,
  };
}

const nothing: InstalledPackages = { packages: [], owners: new Map() };

/** Both versions; with one reference, the version before it and itself. */
async function chooseVersions(
  store: Store,
  first: string,
  second: string | undefined,
): Promise<[StoredVersion, StoredVersion]> {
  const version = await store.resolve(first, 'look');
  if (second !== undefined) return [version, await store.resolve(second, 'look')];
  const { image, number } = version.record;
  const before = (await store.versions(image)).findLast((each) => each.record.number < number);
  if (before !== undefined) return [before, version];
  throw new ImprintError('usage', {
    problem: `${image}:${number} is the first version of ${image}: there is none before it to compare with.`,
    hint: `Name two: imprint image diff OTHER ${image}:${number}`,
  });
}

/**
 * Lets through a path and what lies below it, where it is in either version; symlinks on the way are followed, so that `/lib/x` may mean
 * `/usr/lib/x`. A path that neither version has is a slip and no lack of differences: `path-not-found`.
 */
async function pathFilter(
  store: Store,
  versions: readonly StoredVersion[],
  path: string,
  signal: AbortSignal,
): Promise<(path: RawPath) => boolean> {
  const tops = new Set<RawPath>();
  const errors: unknown[] = [];
  for (const version of versions) {
    const { reference } = nameOf(version);
    try {
      const options = { follow: false, signal };
      tops.add((await findEntry(store, digestOf(version), rawArgument(path), reference, options)).path);
    } catch (error) {
      if (!(error instanceof ImprintError && error.code === 'path-not-found')) throw error;
      errors.push(error);
    }
  }
  if (tops.size === 0) throw errors[0];
  return (each) => [...tops].some((top) => top === '' || each === top || each.startsWith(`${top}/`));
}

/** Also where a directory's time says no more than that something in it changed. */
function onlyTimeDiffers({ before, after }: EntryChange): boolean {
  if (before === undefined || after === undefined) return false;
  return changedAttributes(before, after).every((attribute) => attribute === 'mtime');
}

function listChange(change: EntryChange, owner: string | undefined): ListedChange {
  const { path, before, after, from } = change;
  const kind =
    from !== undefined ? 'moved' : before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  const attributes =
    before === undefined || after === undefined
      ? []
      : changedAttributes(before, after).map((attribute) => ({
          attribute,
          before: attributeWords(before, attribute),
          after: attributeWords(after, attribute),
        }));
  return {
    path: path === '' ? '.' : displayPath(path),
    ...rawOf(path),
    kind,
    type: typeOf(after ?? before),
    ...(from === undefined ? {} : { from: displayPath(from) }),
    attributes,
    ...(before?.type === 'file' ? { sizeBefore: before.size ?? 0 } : {}),
    ...(after?.type === 'file' ? { sizeAfter: after.size ?? 0 } : {}),
    ...(owner === undefined ? {} : { package: owner }),
  };
}

function countPaths(packages: readonly PackageChange[], changes: readonly ListedChange[]): ImageDiff['packages'] {
  const counts = new Map<string, number>();
  for (const { package: owner } of changes) if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return packages.map((each) => ({ ...each, paths: counts.get(each.id) ?? 0 }));
}

function typeOf(entry: Entry | undefined): Entry['type'] {
  return entry?.type ?? 'file';
}

function nameOf({ record }: StoredVersion) {
  return { reference: `${record.image}:${record.number}`, digest: record.digest };
}

function digestOf({ record }: StoredVersion): Digest {
  return record.digest as Digest;
}
