import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type VersionRecord, versionRecordSchema } from '../../contract/image.ts';
import { type Digest, type RawPath, rawPath } from '../../foundation/brand.ts';
import { objectPaths } from '../../machine/carried-state.ts';
import { agentPaths } from '../../machine/installed-layout.ts';
import { status } from '../../native/status.ts';
import { VerifiedManifest } from '../../store/manifest-reader.ts';
import { rootFiles } from '../../system/root-files.ts';
import type { KnownTree } from '../../tree/converge-plan.ts';
import { syncTree } from '../../tree/converge-tree.ts';

/** The version that a root says it is. */
export interface SlotVersion {
  record: VersionRecord;
  digest: Digest;
  manifestFile: string;
  /** For `convergeTree`: what was changed since the slot was filled is not taken for the version's. */
  known: KnownTree;
}

/** Reads which version lies below `root`; undefined where that is not known, or not to be relied on: it is being filled. */
export async function readSlotVersion(root: string): Promise<SlotVersion | undefined> {
  const state = await stateOf(root);
  const text = await readFile(join(state, 'version.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const manifestFile = join(state, 'manifest');
  try {
    const record = versionRecordSchema.parse(JSON.parse(text));
    const digest = record.digest as Digest;
    const { ctimeSeconds: seconds, ctimeNanoseconds: nanoseconds } = status(rawPath(manifestFile));
    // Damaged: as good as none, and found before anything hangs on it.
    const manifest = new VerifiedManifest(await readFile(manifestFile), digest, manifestFile);
    const entries = () => manifest.entries();
    return { record, digest, manifestFile, known: { entries, sealed: { seconds, nanoseconds } } };
  } catch {
    return undefined;
  }
}

/**
 * Has a root say no longer which version it is, on the disk: from here on it is neither the old nor the new one. What else the agent kept of its time
 * there goes with it.
 */
export async function forgetSlotVersion(root: string): Promise<void> {
  const state = await stateOf(root);
  await rm(join(state, 'version.json'), { force: true });
  syncTree(rawPath(root));
  const names = await readdir(state).catch((): string[] => []);
  const objects = basename(objectPaths.inRoot);
  for (const name of names) if (name !== objects) await rm(join(state, name), { recursive: true, force: true });
}

/** In that root and no other: a version may have a link for /var, which leads out of a root that is only mounted. */
function stateOf(root: string): Promise<string> {
  return rootFiles(root).resolve(agentPaths.state);
}

/** What lies in a slot and is not the version's: a fill leaves it as it is. */
export function isImprints(path: RawPath): boolean {
  return kept.has(path);
}

const kept: ReadonlySet<string> = new Set([agentPaths.program, agentPaths.command, agentPaths.unit, agentPaths.state]);
