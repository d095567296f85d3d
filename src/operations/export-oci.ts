import { createHash, hash } from 'node:crypto';
import { type Digest, digestFromHex } from '../foundation/brand.ts';
import { canonicalJson } from '../image/canonical-json.ts';
import {
  digestAnnotation,
  ociConfigOf,
  ociLayoutFile,
  ociMediaTypes,
  referenceAnnotation,
  sourceAnnotation,
} from '../image/oci.ts';
import { compressBlocks } from './block-compressor.ts';
import type { ExportJob, ExportReport, WriteBytes } from './export-formats.ts';
import { type ImageLayout, layoutInArchive, layoutInDirectory } from './oci-layout.ts';
import { refuseWhiteouts, writeTree } from './tar-tree.ts';

/** Writes a version as an OCI image layout in one tar file, which `docker load` reads, too. */
export async function exportOciArchive(job: ExportJob, path: string): Promise<ExportReport> {
  await using layout = await layoutInArchive(path);
  return await writeImage(job, layout);
}

/** Writes a version as an OCI image layout in a directory. */
export async function exportOciDirectory(job: ExportJob, path: string): Promise<ExportReport> {
  await using layout = await layoutInDirectory(path);
  return await writeImage(job, layout);
}

/** One image of one layer, with all that describes it; every JSON in its canonical form. */
async function writeImage(job: ExportJob, layout: ImageLayout): Promise<ExportReport> {
  const { record } = job.version;
  const compression = job.input.compression ?? 'gzip';
  const name = `${record.image}:${record.number}`;
  await layout.file('oci-layout', Buffer.from(ociLayoutFile));
  const layer = await writeLayer(job, layout, name);
  const config = await blob(layout, ociMediaTypes.config, ociConfigOf(record, layer.diffId));
  const manifest = await blob(layout, ociMediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: ociMediaTypes.manifest,
    config,
    layers: [{ mediaType: ociMediaTypes.layer[compression], digest: layer.digest, size: layer.size }],
    annotations: {
      'org.opencontainers.image.created': record.created,
      'org.opencontainers.image.title': record.image,
      'org.opencontainers.image.version': String(record.number),
      [digestAnnotation]: record.digest,
      [sourceAnnotation]: canonicalJson(record.source),
    },
  });
  const index = {
    schemaVersion: 2,
    mediaType: ociMediaTypes.index,
    manifests: [{ ...manifest, annotations: { [referenceAnnotation]: name } }],
  };
  await layout.file('index.json', Buffer.from(canonicalJson(index)));
  const dockerArchive = [{ Config: blobPath(config.digest), RepoTags: [name], Layers: [blobPath(layer.digest)] }];
  await layout.file('manifest.json', Buffer.from(canonicalJson(dockerArchive)));
  const bytes = await layout.finish();
  return { entries: layer.entries, bytes, manifestDigest: manifest.digest, warnings: layer.warnings };
}

async function writeLayer(job: ExportJob, layout: ImageLayout, name: string) {
  const tarHash = createHash('sha256');
  const blobHash = createHash('sha256');
  let size = 0;
  const place = await layout.beginBlob();
  const through = compressBlocks(job.input.compression ?? 'gzip', async (piece) => {
    blobHash.update(piece);
    size += piece.length;
    await place.write(piece);
  });
  const write: WriteBytes = async (piece) => {
    tarHash.update(piece);
    await through.write(piece);
  };
  const { entries, warnings } = await writeTree(job, write, refuseWhiteouts(name));
  await through.finish();
  const digest = digestFromHex(blobHash.digest('hex'));
  await place.finish(blobPath(digest), size);
  return { digest, size, diffId: digestFromHex(tarHash.digest('hex')), entries, warnings };
}

async function blob(layout: ImageLayout, mediaType: string, value: object) {
  const bytes = Buffer.from(canonicalJson(value));
  const digest: Digest = digestFromHex(hash('sha256', bytes, 'hex'));
  await layout.file(blobPath(digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

function blobPath(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}
