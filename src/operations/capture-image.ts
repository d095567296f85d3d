import {
  type CaptureInput,
  type CaptureOutput,
  type CaptureRequest,
  captureInputSchema,
} from '../contract/operations/capture.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { Signer } from '../image/signature.ts';
import { openWritableStore } from '../store/open-store.ts';
import type { StoredVersion } from '../store/store.ts';
import type { WritableStore } from '../store/transaction.ts';
import { type CapturedSource, digestOf, type SourceCapture } from './capture/captured-source.ts';
import { findSource, type SourceKind } from './capture/source-place.ts';
import { checkExcludes } from './capture/source-rules.ts';
import type { Context } from './context.ts';
import { expiryOf } from './trust/expiry.ts';
import { findReleaseSigner } from './trust/release-signer.ts';

/** How each kind of source is captured; loaded when it is asked for. */
const captures: { readonly [Kind in SourceKind]: () => Promise<(capture: SourceCapture) => Promise<CapturedSource>> } =
  {
    ssh: async () => (await import('./capture/capture-golden.ts')).captureGolden,
    directory: async () => (await import('./capture/capture-local.ts')).captureLocal,
    tar: async () => (await import('./capture/capture-archive.ts')).captureTar,
    oci: async () => (await import('./capture/capture-archive.ts')).captureOci,
    'oci-archive': async () => (await import('./capture/capture-archive.ts')).captureOci,
    'docker-archive': async () => (await import('./capture/capture-archive.ts')).captureOci,
    disk: async () => (await import('./capture/capture-disk.ts')).captureDisk,
  };

/**
 * Makes a new version of an image from a directory, a machine that runs (`ssh://…`), an archive or a disk image. The version appears in the store
 * last, whole; whatever goes wrong before leaves nothing visible, and what was stored is used again by the next try.
 *
 * Errors: those of `captureOperation`, and those of the store.
 */
export async function captureImage(context: Context, request: CaptureRequest, task: Task): Promise<CaptureOutput> {
  const input = parseInput(request);
  checkExcludes(input.excludes);
  const place = await findSource(input.source);
  const expires = expiryOf(input.expires, context.clock.now());
  const signer = await findSigner(context, task);
  const store = await openWritableStore(context.storeLocation, {
    create: true,
    ...(signer === undefined ? {} : { signer }),
  });
  try {
    const versions = await versionsOf(store, input.name);
    const capture = await captures[place.kind]();
    const source = await capture({
      input,
      place,
      store,
      ownDirectories: [context.storeLocation, context.paths.data],
      begin: () => store.begin(`capture of ${input.name} from ${input.source}`, task),
      processes: context.processes,
      task,
      previous: (location) => versions.findLast(({ record }) => record.source.location === location),
    });
    await using transaction = source.transaction;
    const newest = versions.at(-1);
    const version = await transaction.commit({
      image: input.name,
      digest: source.manifest.digest,
      manifestBytes: source.manifest.bytes,
      ...(newest === undefined ? {} : { parent: digestOf(newest) }),
      created: new Date(context.clock.now()).toISOString(),
      ...(input.message === undefined ? {} : { message: input.message }),
      ...(expires === undefined ? {} : { expires }),
      ...(input.floor === undefined ? {} : { floor: input.floor }),
      source: source.facts,
      stats: source.stats,
      excluded: source.excluded,
      scrubbed: source.scrubbed,
      warnings: source.warnings,
      ...(input.tag === undefined ? {} : { tags: [input.tag] }),
    });
    return outputOf(version, source);
  } finally {
    await store.close();
  }
}

function parseInput(request: CaptureRequest): CaptureInput {
  const parsed = captureInputSchema.safeParse(request);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ImprintError('input-invalid', {
    field: issue?.path.join('.') || 'input',
    problem: issue?.message ?? 'it is not what a capture needs',
  });
}

/**
 * Who signs a new version: the release keys that are here, if any can be had. Without one the version is made all the same, unsigned, and can be
 * signed later.
 */
export async function findSigner(context: Context, task: Task): Promise<Signer | undefined> {
  try {
    const { signer, document } = await findReleaseSigner(context);
    if (signer === undefined)
      task.warn(`The version will not be signed: no release key of trust document ${document.version} is here.`);
    return signer;
  } catch (error) {
    if (!(error instanceof ImprintError) || (error.code !== 'read-only' && error.code !== 'io-failed')) throw error;
    task.warn(`The version will not be signed: ${error.message}`);
    return undefined;
  }
}

/** All versions of an image; none where there is no such image yet. */
export async function versionsOf(store: WritableStore, image: string): Promise<StoredVersion[]> {
  try {
    return await store.versions(image);
  } catch (error) {
    if (error instanceof ImprintError && error.code === 'image-not-found') return [];
    throw error;
  }
}

function outputOf(version: StoredVersion, source: CapturedSource): CaptureOutput {
  const { record, tags, signature } = version;
  return {
    reference: `${record.image}:${record.number}`,
    image: record.image,
    number: record.number,
    digest: record.digest,
    tags,
    signed: signature !== undefined,
    stats: record.stats,
    unchangedFiles: source.unchangedFiles,
    excluded: record.excluded,
    scrubbed: record.scrubbed,
    warnings: record.warnings,
  };
}
