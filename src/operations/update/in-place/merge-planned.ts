import { readFile, stat } from 'node:fs/promises';
import type { RawPath } from '../../../foundation/brand.ts';
import type { Task } from '../../../foundation/task.ts';
import { comparePaths, type Entry } from '../../../image/entry.ts';
import { type Merged, mergeConfiguration } from '../../../machine/merge-text.ts';
import { unmergedPath, unmergedPathOf } from '../../../machine/unmerged-files.ts';
import { isDirectory, isFile } from '../../../native/status.ts';
import { hexOf } from '../../../tree/converge-writer.ts';
import { readKeptConfiguration } from '../kept-configuration.ts';
import type { InPlacePlan, InPlaceRequest } from './in-place-plan.ts';
import type { PlannedMerge } from './plan-builder.ts';
import { look } from './root-paths.ts';

/** Larger files are not configuration that somebody merges by lines. */
const longest = 1 << 20;

/**
 * Does the merges of a plan: what comes of each takes its place in the plan. Where there is a conflict the machine's file stays, and what the version
 * has is put where nothing reads it (`unmergedPath`).
 */
export async function mergePlanned(
  plan: InPlacePlan,
  request: InPlaceRequest,
  merges: readonly PlannedMerge[],
  task: Task,
): Promise<void> {
  if (merges.length === 0) return;
  const kept = readKeptConfiguration(request.base.root);
  const dropped = new Set<PlannedMerge['planned']>();
  const base = plan.root === '/' ? '' : plan.root;
  let conflicts = 0;
  for (const merge of merges) {
    task.signal.throwIfAborted();
    const { planned, drift } = merge;
    const merged = await mergeOne(plan.root, request, kept, merge);
    if ('text' in merged) {
      drift.choice = 'merge';
      planned.content = Buffer.from(merged.text, 'latin1');
      planned.wanted = await withLocalAttributes(plan.root, planned.path, merge);
      continue;
    }
    drift.choice = 'beside';
    drift.conflict = merged.conflict;
    const beside = unmergedPathOf(planned.path);
    const there = look(`${base}/${beside}`);
    if (there !== undefined && isDirectory(there.mode)) {
      drift.choice = 'keep';
      dropped.add(planned);
      continue;
    }
    conflicts += 1;
    planned.path = beside;
    planned.present = there !== undefined;
    planned.directory = false;
    planned.wanted = { ...merge.after, path: beside };
  }
  // Others must not read there what they may not read in /etc.
  if (conflicts > 0 && look(`${base}/${unmergedPath}`) === undefined)
    plan.paths.push({ path: unmergedPath, present: false, directory: false, wanted: privateDirectory() });
  plan.paths = plan.paths
    .filter((planned) => !dropped.has(planned))
    .sort((one, other) => comparePaths(one.path, other.path));
}

function privateDirectory(): Entry {
  const mtime = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };
  return { path: unmergedPath, type: 'directory', mode: 0o700, uid: 0, gid: 0, mtime };
}

async function mergeOne(
  root: RawPath,
  request: InPlaceRequest,
  kept: (hash: string) => Uint8Array | undefined,
  merge: PlannedMerge,
): Promise<Merged> {
  const { before, after, planned } = merge;
  if (before === undefined) return { conflict: 'both added it' };
  if (before.type !== 'file' || after.type !== 'file') return { conflict: 'it is no file everywhere' };
  if ((before.size ?? 0) > longest || (after.size ?? 0) > longest) return { conflict: 'it is too long to be compared' };
  const place = Buffer.from(`${root === '/' ? '' : root}/${planned.path}`, 'latin1');
  const found = look(place.toString('latin1'));
  if (found === undefined || !isFile(found.mode) || found.size > longest) return { conflict: 'it is no short file' };
  const earlier = await contentOf(before, async (hash) => kept(hash) ?? earlierContent(request, hash));
  if (earlier === undefined) return { conflict: 'what it was before is not known here' };
  const newer = await contentOf(after, (hash) => request.content.content(hash));
  if (newer === undefined) return { conflict: 'it has holes' };
  const local = (await readFile(place)).toString('latin1');
  return mergeConfiguration(planned.path, earlier, local, newer);
}

/** Owner and mode: the version's where it changed them and the machine did not, else the machine's. The time is that of now. */
async function withLocalAttributes(root: RawPath, path: RawPath, { before, after }: PlannedMerge): Promise<Entry> {
  const found = await stat(Buffer.from(`${root === '/' ? '' : root}/${path}`, 'latin1'));
  const pick = (mine: number, old: number | undefined, other: number) => (mine === old ? other : mine);
  return {
    ...after,
    path,
    mode: pick(found.mode & 0o7777, before?.mode, after.mode),
    uid: pick(found.uid, before?.uid, after.uid),
    gid: pick(found.gid, before?.gid, after.gid),
    mtime: { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 },
  };
}

async function earlierContent(request: InPlaceRequest, hash: string): Promise<Uint8Array | undefined> {
  try {
    return await request.content.content(hash);
  } catch {
    // A store gives what the new version has; what only the old one had need not be there.
    return undefined;
  }
}

async function contentOf(
  { chunks = [], segments }: Entry,
  content: (hash: string) => Promise<Uint8Array | undefined>,
): Promise<string | undefined> {
  if (segments !== undefined) return undefined;
  const parts: Buffer[] = [];
  for (const { hash } of chunks) {
    const part = await content(hexOf(hash));
    if (part === undefined) return undefined;
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts).toString('latin1');
}
