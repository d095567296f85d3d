import { displayPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Entry } from '../../image/entry.ts';
import type { ListedPath } from '../../machine/golden-listing.ts';
import { surveySource } from '../../machine/source-facts.ts';
import type { FileStatus } from '../../native/status.ts';
import { askGolden } from '../../system/golden.ts';
import { openSsh } from '../../system/ssh.ts';
import { parseSshUrl, sshDestination } from '../../system/ssh-target.ts';
import { HintWriter } from '../../tree/capture-hints.ts';
import { type ContentPool, openContentPool } from '../../tree/content-pool.ts';
import { openPreviousVersion, type PreviousVersion } from '../../tree/previous-version.ts';
import { type CapturedSource, digestOf, type SourceCapture } from './captured-source.ts';
import { captureGoldenTree, type GoldenTree } from './golden-entries.ts';
import { holdStill } from './hold-still.ts';
import { openWithToken } from './open-with-token.ts';
import { rulesFor } from './source-rules.ts';

/** Seconds without a word from us after which a golden machine gives its snapshots up. */
const silencePatience = 60;

/**
 * Captures a machine that runs, over ssh. Errors: `golden-unreachable`, `golden-unfit`, `golden-lost`, `source-not-found`, and the
 * store's.
 */
export async function captureGolden(capture: SourceCapture): Promise<CapturedSource> {
  const { input, task, store } = capture;
  await using door = input.door === undefined ? undefined : await openWithToken(input.door);
  const options = [...(door?.sshOptions ?? []), ...input.sshOptions];
  const target = parseSshUrl(input.source, door?.identity ?? input.identity, options);
  const host = sshDestination(target);
  await using connection = await task.part(`connect to ${host}`, (part) =>
    openSsh(target, capture.processes, part.signal),
  );
  const golden = await task.part('look at the machine', () => askGolden(connection, target.directory));
  // A door's port is another one each time; the machine behind it is the same.
  const port = target.port === undefined || door !== undefined ? '' : `:${target.port}`;
  const location = `ssh://${host}${port}${golden.root === '/' ? '' : displayPath(golden.root)}`;
  const survey = surveySource(golden.answers, location, golden.root, input.oneFileSystem);
  await using held = await holdStill({
    ...{ input, survey, task, answers: golden.answers, root: golden.root, host },
    ...{ patience: silencePatience, scripts: '/etc/imprint', start: golden.startAsRoot },
  });
  const rules = rulesFor(input, survey, golden.root, [], task);
  const before = input.paranoid ? undefined : capture.previous(location);
  const transaction = await capture.begin();
  try {
    const added = { ...transaction.added };
    await using pool = await openContentPool({ transaction, task });
    const previous = before && (await openPreviousVersion(store, digestOf(before)));
    const began = held.asOf ?? (Number(golden.answers.get('clock')?.trim()) || 0);
    const tree = await captureGoldenTree({
      golden: held.view === undefined ? golden : golden.readFrom(held.view, held.devices),
      isStill: held.isStill,
      rules,
      sink: pool,
      task,
      ...(previous === undefined ? {} : { known: (listed) => unchanged(previous, listed, pool) }),
    });
    if (tree.entries[0]?.path !== '') {
      throw new ImprintError('golden-unfit', {
        host,
        problem: `${displayPath(golden.root)} itself could not be read`,
        hint: 'Look whether root may read it there.',
      });
    }
    for (const path of tree.suspects) task.log(`kept, though it may be a secret: /${displayPath(path)}`);
    for (const warning of tree.warnings) task.warn(warning);
    await held.letGo();
    await task.part('write packs', () => pool.finish());
    const manifest = await task.part('write manifest', () => transaction.writeManifest(batches(tree.entries)));
    await transaction.writeHints(manifest.digest, hintsOf(tree, began));
    return {
      transaction,
      manifest,
      facts: held.facts,
      stats: {
        ...count(tree.entries),
        newChunks: transaction.added.chunks - added.chunks,
        newBytes: transaction.added.bytes - added.bytes,
      },
      excluded: rules.excluded,
      scrubbed: tree.scrubbed,
      warnings: tree.warnings,
      unchangedFiles: tree.unchangedFiles,
    };
  } catch (error) {
    await transaction[Symbol.asyncDispose]();
    throw error;
  }
}

/** What the version before has for a path, where its inode and change time are the same and the store holds its content. */
async function unchanged(previous: PreviousVersion, listed: ListedPath, pool: ContentPool): Promise<Entry | undefined> {
  const entry = await previous.unchanged(listed.path, statusOfListed(listed));
  if (entry === undefined || entry.type === 'hardlink') return undefined;
  if (entry.type === 'file' && (entry.size ?? 0) !== listed.size) return undefined;
  return (entry.chunks ?? []).every(({ hash }) => pool.has(hash)) ? entry : undefined;
}

function hintsOf(tree: GoldenTree, began: number): Uint8Array {
  const hints = new HintWriter();
  tree.entries.forEach((entry, index) => {
    const listed = tree.listing[index];
    const sure = listed !== undefined && !tree.unsettled.has(entry.path);
    hints.add(sure ? statusOfListed(listed) : undefined, began);
  });
  return hints.take();
}

/** A listed path as the hints want it; what a listing does not tell is nought. */
function statusOfListed({ mode, links, uid, gid, size, inode, device, mtime, ctime }: ListedPath): FileStatus {
  return {
    mode,
    links,
    uid,
    gid,
    size,
    blocks: 0,
    inode: BigInt(inode),
    device: Number(device),
    mountId: 0,
    mtimeSeconds: mtime.seconds,
    mtimeNanoseconds: mtime.nanoseconds,
    ctimeSeconds: ctime.seconds,
    ctimeNanoseconds: ctime.nanoseconds,
    major: 0,
    minor: 0,
  };
}

function* batches(entries: Entry[]): Generator<Entry[]> {
  for (let from = 0; from < entries.length; from += 512) yield entries.slice(from, from + 512);
}

function count(entries: readonly Entry[]) {
  const counts = { entries: entries.length, files: 0, logicalBytes: 0, contentBytes: 0 };
  for (const { type, size = 0, chunks = [] } of entries) {
    if (type !== 'file') continue;
    counts.files += 1;
    counts.logicalBytes += size;
    counts.contentBytes += chunks.reduce((sum, { length }) => sum + length, 0);
  }
  return counts;
}
