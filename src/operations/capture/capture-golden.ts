import type { VersionStats } from '../../contract/image.ts';
import { displayPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Entry } from '../../image/entry.ts';
import type { ListedPath } from '../../machine/golden-listing.ts';
import { surveySource } from '../../machine/source-facts.ts';
import type { FileStatus } from '../../native/status.ts';
import { askGolden, type Golden } from '../../system/golden.ts';
import { openSsh } from '../../system/ssh.ts';
import { parseSshUrl, sshDestination } from '../../system/ssh-target.ts';
import { HintReader, HintWriter } from '../../tree/capture-hints.ts';
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
    const hintsBefore = before && (await store.readHints(digestOf(before)));
    const previous = before && hintsBefore && openPreviousVersion(store, digestOf(before), new HintReader(hintsBefore));
    const began = held.asOf ?? (Number(golden.answers.get('clock')?.trim()) || 0);
    await using tree = await captureGoldenTree({
      golden: held.view === undefined ? golden : golden.readFrom(held.view, held.devices),
      isStill: held.isStill,
      rules,
      sink: pool,
      directory: transaction.directory,
      task,
      ...(previous === undefined ? {} : { known: (listed) => unchanged(previous, listed, pool) }),
    });
    await held.letGo();
    await task.part('write packs', () => pool.finish());
    const hints = new HintWriter();
    const counts = { entries: 0, files: 0, logicalBytes: 0, contentBytes: 0 };
    const manifest = await task.part('write manifest', () =>
      transaction.writeManifest(
        finished(tree, (entry, listed) => {
          if (counts.entries === 0 && entry.path !== '') throw unreadable(host, golden);
          count(entry, counts);
          hints.add(listed && statusOfListed(listed), began);
        }),
      ),
    );
    if (counts.entries === 0) throw unreadable(host, golden);
    for (const path of tree.suspects) task.log(`kept, though it may be a secret: /${displayPath(path)}`);
    for (const warning of tree.warnings) task.warn(warning);
    await transaction.writeHints(manifest.digest, hints.take());
    return {
      transaction,
      manifest,
      facts: held.facts,
      stats: {
        ...counts,
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

function unreadable(host: string, golden: Golden): ImprintError {
  return new ImprintError('golden-unfit', {
    host,
    problem: `${displayPath(golden.root)} itself could not be read`,
    hint: 'Look whether root may read it there.',
  });
}

/** The entries of a tree in batches; `look` is called for each, with what was listed of it where that is sure. */
async function* finished(
  tree: GoldenTree,
  look: (entry: Entry, listed: ListedPath | undefined) => void,
): AsyncGenerator<Entry[]> {
  for await (const { entries, listed } of tree.entries()) {
    entries.forEach((entry, index) => {
      look(entry, listed[index]);
    });
    yield entries;
  }
}

/** What the version before has for a path, where its inode and change time are the same and the store holds its content. */
function unchanged(
  previous: PreviousVersion,
  listed: ListedPath,
  pool: ContentPool,
): Entry | undefined | Promise<Entry | undefined> {
  const mayKeep = (entry: Entry | undefined): Entry | undefined => {
    if (entry === undefined || entry.type === 'hardlink') return undefined;
    if (entry.type === 'file' && (entry.size ?? 0) !== listed.size) return undefined;
    return (entry.chunks ?? []).every(({ hash }) => pool.has(hash)) ? entry : undefined;
  };
  const asked = previous.unchanged(listed.path, statusOfListed(listed));
  return asked instanceof Promise ? asked.then(mayKeep) : mayKeep(asked);
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
    locked: false,
  };
}

function count({ type, size = 0, chunks = [] }: Entry, counts: Omit<VersionStats, 'newChunks' | 'newBytes'>): void {
  counts.entries += 1;
  if (type !== 'file') return;
  counts.files += 1;
  counts.logicalBytes += size;
  for (const { length } of chunks) counts.contentBytes += length;
}
