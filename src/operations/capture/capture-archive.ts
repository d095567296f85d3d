import { createReadStream } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import type { SourceFacts } from '../../contract/image.ts';
import { displayPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { parseOsRelease, type SourceSurvey } from '../../machine/source-facts.ts';
import { writing } from '../../store/durable.ts';
import type { StoreTransaction } from '../../store/transaction.ts';
import { openContentPool } from '../../tree/content-pool.ts';
import type { ArchiveLayer } from './archive-layer.ts';
import { selectEntries } from './archive-selection.ts';
import { type ArchiveListing, listLayers, storeContents } from './archive-tree.ts';
import type { CapturedSource, SourceCapture } from './captured-source.ts';
import { type OciImage, openOciImage } from './oci-image.ts';
import { rulesFor } from './source-rules.ts';

/**
 * Captures a tar archive, however it is compressed; `-` is stdin. Errors: `source-not-found`, `source-unfit`, `tar-invalid`,
 * `archive-damaged`, `tool-missing`.
 */
export async function captureTar(capture: SourceCapture): Promise<CapturedSource> {
  const transaction = await capture.begin();
  try {
    const { path, spooled } = await seekable(capture, transaction);
    const name = spooled ? 'stdin' : path;
    const layer: ArchiveLayer = { name, open: () => createReadStream(path, { highWaterMark: 1 << 20 }) };
    const location = spooled ? 'tar:-' : `tar:${path}`;
    return await captureLayers(capture, transaction, { layers: [layer], location, whiteouts: false });
  } catch (error) {
    await transaction[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Captures an OCI image: a layout in a directory or an archive, or what `docker save` writes. Errors: `source-not-found`, `oci-invalid`,
 * `oci-image-not-found`, `blob-corrupt`, and those of `captureTar`.
 */
export async function captureOci(capture: SourceCapture): Promise<CapturedSource> {
  const { place, processes, task } = capture;
  const transaction = await capture.begin();
  try {
    const image = await openOciImage(place, {
      processes,
      signal: task.signal,
      spool: (bytes) => spool(bytes, transaction),
    });
    return await captureLayers(capture, transaction, image);
  } catch (error) {
    await transaction[Symbol.asyncDispose]();
    throw error;
  }
}

async function captureLayers(
  capture: SourceCapture,
  transaction: StoreTransaction,
  image: Pick<OciImage, 'layers' | 'location' | 'whiteouts' | 'architecture' | 'facts'>,
): Promise<CapturedSource> {
  const { input, processes, task } = capture;
  const reading = { processes, signal: task.signal };
  const listing = await task.part('list', () => listLayers(image.layers, image.whiteouts, reading));
  if (!image.whiteouts && !input.source.startsWith('tar:')) refuseImage(listing, input.source);
  const survey = surveyOf(listing, image);
  const rules = rulesFor(input, survey, '/' as Parameters<typeof rulesFor>[2], [], task);
  const selection = selectEntries(listing.tree, listing.members, rules);
  const warnings = listing.lostAcls.map(
    (path) => `${displayPath(path)} has an ACL as text, which was not taken over (make the tar with --xattrs)`,
  );
  for (const warning of warnings) task.warn(warning);
  for (const path of selection.suspects) task.log(`kept, though it may be a secret: /${displayPath(path)}`);
  const added = { ...transaction.added };
  await using pool = await openContentPool({ transaction, task });
  await task.part('read', (part) => {
    part.expect(selection.stats.contentBytes, 'bytes');
    return storeContents(image.layers, listing.hashes, selection.contents, pool, reading, part);
  });
  await task.part('write packs', () => pool.finish());
  const manifest = await task.part('write manifest', () => transaction.writeManifest(selection.entries()));
  return {
    transaction,
    manifest,
    facts: survey.facts,
    stats: {
      ...selection.stats,
      newChunks: transaction.added.chunks - added.chunks,
      newBytes: transaction.added.bytes - added.bytes,
    },
    excluded: rules.excluded,
    scrubbed: selection.scrubbed,
    warnings,
    unchangedFiles: 0,
  };
}

/** What `docker save` or skopeo wrote is hardly meant to be taken as the files that it is made of. */
function refuseImage({ tree }: ArchiveListing, source: string): void {
  const has = (path: string) => tree.find(path) !== undefined;
  if (!(has('oci-layout') && has('index.json')) && !(has('manifest.json') && has('repositories'))) return;
  throw new ImprintError('source-unfit', {
    source,
    problem: 'it is a container image in an archive, not a tree',
    hint: `Take the tree in the image: oci-archive:${source}. Or the archive’s own files: tar:${source}`,
  });
}

/** What an archive tells of the system in it, in the form that a machine's answers take. */
function surveyOf(
  { tree, texts }: ArchiveListing,
  { location, architecture, facts }: Pick<OciImage, 'location' | 'architecture' | 'facts'>,
): SourceSurvey {
  const textOf = (path: string) => {
    const member = tree.find(path);
    return member === undefined ? undefined : texts.get(member);
  };
  const system = parseOsRelease(textOf('etc/os-release') ?? textOf('usr/lib/os-release') ?? '');
  const isSystem =
    system !== undefined || (tree.find('etc')?.type === 'directory' && tree.find('usr')?.type === 'directory');
  const own: SourceFacts = {
    location,
    ...(architecture === undefined ? {} : { architecture }),
    ...(system === undefined ? {} : { system }),
    bootMode: 'unknown',
    disks: [],
    fileSystems: [],
  };
  return {
    facts: facts === undefined ? own : { ...facts, location },
    mounts: { root: undefined, captured: [], leftOut: [] },
    allMounts: [],
    swapFiles: [],
    isSystem,
  };
}

/** The archive as a file that can be read twice: what comes through a pipe is put beside the packs first. */
async function seekable(
  { place, task }: SourceCapture,
  transaction: StoreTransaction,
): Promise<{ path: string; spooled: boolean }> {
  if (place.path === '-') {
    const stream = addAbortSignal(task.signal, process.stdin);
    return { path: await spool(stream, transaction), spooled: true };
  }
  const path = await realpath(place.path).catch((cause: unknown) => {
    throw new ImprintError('source-not-found', { source: place.path }, { cause });
  });
  const found = await stat(path);
  if (found.isDirectory()) {
    throw new ImprintError('source-unfit', {
      source: path,
      problem: 'it is a directory, not an archive',
      hint: `Capture it as it is: imprint capture ${path}`,
    });
  }
  if (found.isFile()) return { path, spooled: false };
  const stream = createReadStream(path, { signal: task.signal });
  return { path: await spool(stream, transaction), spooled: true };
}

/** Keeps a stream in a file of the transaction, which goes with it. */
async function spool(bytes: AsyncIterable<Uint8Array>, transaction: StoreTransaction): Promise<string> {
  const path = join(transaction.directory, 'source.spool');
  await using file = await open(path, 'wx', 0o600);
  for await (const piece of bytes) {
    await writing(path, async () => {
      for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
    });
  }
  return path;
}
