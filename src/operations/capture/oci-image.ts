import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { arch } from 'node:os';
import { basename } from 'node:path';
import { type SourceFacts, sourceFactsSchema } from '../../contract/image.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { FormatError } from '../../image/format-error.ts';
import {
  dockerArchiveSchema,
  kernelArchitecture,
  type OciDescriptor,
  ociConfigSchema,
  ociIndexSchema,
  ociKind,
  ociManifestSchema,
  parseOciJson,
  referenceAnnotation,
  sourceAnnotation,
} from '../../image/oci.ts';
import type { ArchiveLayer, LayerReading } from './archive-layer.ts';
import { filesOfArchive, filesOfDirectory, type ImageFiles, readWhole } from './oci-files.ts';
import type { SourcePlace } from './source-place.ts';

export interface OciReading extends LayerReading {
  /** Keeps a stream in a file of its own, whose path it gives. */
  spool(bytes: AsyncIterable<Uint8Array>): Promise<string>;
}

/** One image, chosen and checked: every blob has the digest by which it was named. */
export interface OciImage {
  /** For the record: `oci:/srv/layout:web`. */
  location: string;
  /** The lowest first. */
  layers: ArchiveLayer[];
  /** Whether `.wh.` names are orders to remove. */
  whiteouts: boolean;
  /** As `uname -m` has it. */
  architecture?: string;
  /** What a version that was exported knew of its source. */
  facts?: SourceFacts;
}

const nestedIndexes = 4;
const containerdName = 'io.containerd.image.name';

/**
 * Opens `DIR[:REFERENCE]` (`oci`) or `FILE[:REFERENCE]` (`oci-archive`, `docker-archive`: which of both it is, the file tells). Without a
 * reference there must be one image; of an image for several architectures this machine's is taken.
 *
 * Errors: `source-not-found`, `oci-invalid`, `oci-image-not-found`, `blob-corrupt`, and those of a tar.
 */
export async function openOciImage(place: SourcePlace, reading: OciReading): Promise<OciImage> {
  const { path, reference } = await splitReference(place);
  const found = path === '-' ? path : await realpath(path);
  const isDirectory = path !== '-' && (await stat(found)).isDirectory();
  const files = isDirectory ? filesOfDirectory(found) : await filesOfArchive(found, reading);
  const location = `${place.kind}:${found}${reference === undefined ? '' : `:${reference}`}`;
  const source: Source = { files, location, reference, signal: reading.signal };
  try {
    if ((await files.size('index.json')) !== undefined) return await openLayout(source);
    if ((await files.size('manifest.json')) !== undefined) return await openDockerArchive(source);
    throw new FormatError('there is neither an index.json nor a manifest.json in it');
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ImprintError('oci-invalid', { source: location, problem: error.message }, { cause: error });
  }
}

interface Source {
  files: ImageFiles;
  location: string;
  reference: string | undefined;
  signal: AbortSignal;
}

/** A path that is there as a whole has no reference; else the shortest start that is there, as a reference may hold colons itself. */
async function splitReference({ path }: SourcePlace): Promise<{ path: string; reference: string | undefined }> {
  if (path === '-') return { path, reference: undefined };
  const there = (candidate: string) =>
    stat(candidate).then(
      () => true,
      () => false,
    );
  if (await there(path)) return { path, reference: undefined };
  for (let colon = path.indexOf(':'); colon >= 0; colon = path.indexOf(':', colon + 1)) {
    const candidate = path.slice(0, colon);
    const reference = path.slice(colon + 1);
    if (candidate === '-' || (candidate !== '' && (await there(candidate)))) return { path: candidate, reference };
  }
  throw new ImprintError('source-not-found', { source: path });
}

async function openLayout(source: Source): Promise<OciImage> {
  const { files, location } = source;
  const chosen = await chooseManifest(source);
  const manifest = parseOciJson('the manifest', await readBlob(source, chosen), ociManifestSchema);
  const config = parseOciJson('the configuration', await readBlob(source, manifest.config), ociConfigSchema);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length)
    throw new FormatError(`there are ${manifest.layers.length} layers, but ${diffIds.length} in the configuration`);
  const layers: ArchiveLayer[] = [];
  for (const [index, descriptor] of manifest.layers.entries()) {
    if (descriptor.mediaType.includes('encrypted')) throw new FormatError(`layer ${index + 1} is encrypted`);
    await checkBlob(source, descriptor);
    const path = blobPath(descriptor);
    const diffId = diffIds[index];
    layers.push({
      name: `${location}, layer ${index + 1}`,
      ...(diffId === undefined ? {} : { diffId }),
      open: () => files.open(path),
    });
  }
  const facts = factsOf(manifest.annotations?.[sourceAnnotation]);
  return {
    location,
    layers,
    whiteouts: true,
    ...(config.architecture === undefined ? {} : { architecture: kernelArchitecture(config.architecture) }),
    ...(facts === undefined ? {} : { facts }),
  };
}

interface Candidate {
  descriptor: OciDescriptor;
  names: readonly string[];
}

async function chooseManifest(source: Source): Promise<OciDescriptor> {
  const { files, reference, location } = source;
  const index = parseOciJson('index.json', await readWhole(files, 'index.json'), ociIndexSchema);
  const candidates = await unfold(source, index.manifests, [], 0);
  const fits = candidates.filter(
    ({ descriptor, names }) => reference === undefined || names.includes(reference) || descriptor.digest === reference,
  );
  const digests = new Set(fits.map(({ descriptor }) => descriptor.digest));
  const own = fits.filter(({ descriptor: { platform } }) => platform == null || isOurs(platform));
  const [only] = digests.size === 1 ? fits : own;
  const clear = digests.size === 1 || new Set(own.map(({ descriptor }) => descriptor.digest)).size === 1;
  if (only !== undefined && clear) return only.descriptor;
  const known = [...new Set(candidates.map(nameOf))];
  throw new ImprintError('oci-image-not-found', {
    reference: reference ?? 'that alone could be meant',
    source: location,
    known: known.slice(0, 20).join(', ') || 'nothing',
  });
}

/** All image manifests of an index and the indexes in it; a name holds for all below it. */
async function unfold(
  source: Source,
  descriptors: readonly OciDescriptor[],
  above: readonly string[],
  depth: number,
): Promise<Candidate[]> {
  if (depth > nestedIndexes) throw new FormatError('its indexes lie too deep in one another');
  const found: Candidate[] = [];
  for (const descriptor of descriptors) {
    const { annotations, platform } = descriptor;
    const own = [annotations?.[referenceAnnotation], annotations?.[containerdName], descriptor.digest];
    const names = [...above, ...own.filter((name) => name !== undefined)];
    const kind = ociKind(descriptor);
    if (kind === 'index') {
      const index = parseOciJson('an index', await readBlob(source, descriptor), ociIndexSchema);
      found.push(...(await unfold(source, index.manifests, names, depth + 1)));
    } else if (kind === 'manifest' && platform?.os !== 'unknown') found.push({ descriptor, names });
  }
  return found;
}

function nameOf({ descriptor, names }: Candidate): string {
  const { platform } = descriptor;
  const name = names.find((candidate) => candidate !== descriptor.digest) ?? descriptor.digest;
  return platform == null ? name : `${name} (${platform.os}/${platform.architecture})`;
}

function isOurs(platform: { os: string; architecture: string }): boolean {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
  const own = arch();
  return platform.os === 'linux' && platform.architecture === (names[own] ?? own);
}

async function openDockerArchive(source: Source): Promise<OciImage> {
  const { files, location, reference } = source;
  const images = parseOciJson('manifest.json', await readWhole(files, 'manifest.json'), dockerArchiveSchema);
  const named = images.filter(
    ({ RepoTags }) => reference === undefined || RepoTags?.some((tag) => shortName(tag) === shortName(reference)),
  );
  const [image] = named;
  if (image === undefined || named.length > 1) {
    throw new ImprintError('oci-image-not-found', {
      reference: reference ?? 'that alone could be meant',
      source: location,
      known: images.flatMap(({ RepoTags }) => RepoTags ?? ['one without a name']).join(', '),
    });
  }
  const bytes = await readWhole(files, image.Config);
  const named64 = /^([0-9a-f]{64})(?:\.json)?$/.exec(basename(image.Config))?.[1];
  if (named64 !== undefined && createHash('sha256').update(bytes).digest('hex') !== named64)
    throw corrupt(source, image.Config, 'its content has another digest');
  const config = parseOciJson('the configuration', bytes, ociConfigSchema);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== image.Layers.length)
    throw new FormatError(`there are ${image.Layers.length} layers, but ${diffIds.length} in the configuration`);
  const layers: ArchiveLayer[] = [];
  for (const [index, path] of image.Layers.entries()) {
    if ((await files.size(path)) === undefined) throw new FormatError(`${path} is missing`);
    const diffId = diffIds[index];
    layers.push({
      name: `${location}, layer ${index + 1}`,
      ...(diffId === undefined ? {} : { diffId }),
      open: () => files.open(path),
    });
  }
  const { architecture } = config;
  return {
    location,
    layers,
    whiteouts: true,
    ...(architecture === undefined ? {} : { architecture: kernelArchitecture(architecture) }),
  };
}

/** What people call an image: without the registry and the tag that go without saying. */
function shortName(name: string): string {
  const short = name.replace(/^(?:docker\.io\/(?:library\/)?|localhost\/)/, '');
  return short.endsWith(':latest') ? short.slice(0, -':latest'.length) : short;
}

/** Facts that an export of ours put there; anything else is passed over. */
function factsOf(text: string | undefined): SourceFacts | undefined {
  if (text === undefined) return undefined;
  try {
    return sourceFactsSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function blobPath({ digest }: Pick<OciDescriptor, 'digest'>): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** A small blob, held against its digest. */
async function readBlob(source: Source, descriptor: OciDescriptor): Promise<Buffer> {
  await checkBlob(source, descriptor);
  return readWhole(source.files, blobPath(descriptor));
}

/** Reads a blob once, for its length and digest alone. */
async function checkBlob(source: Source, { digest, size }: OciDescriptor): Promise<void> {
  const path = blobPath({ digest });
  const found = await source.files.size(path);
  if (found === undefined) throw new FormatError(`the blob ${digest} is missing`);
  if (found !== size) throw corrupt(source, digest, `it has ${found} bytes, not ${size}`);
  const hash = createHash(digest.startsWith('sha512:') ? 'sha512' : 'sha256');
  for await (const piece of source.files.open(path)) {
    source.signal.throwIfAborted();
    hash.update(piece);
  }
  if (hash.digest('hex') !== digest.slice(digest.indexOf(':') + 1))
    throw corrupt(source, digest, 'its content has another digest');
}

function corrupt({ location }: Source, blob: string, problem: string): ImprintError {
  return new ImprintError('blob-corrupt', { source: location, blob, problem });
}
