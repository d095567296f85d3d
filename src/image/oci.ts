import { z } from 'zod';
import type { VersionRecord } from '../contract/image.ts';
import { FormatError } from './format-error.ts';

/**
 * The JSON of the OCI image specification 1.1 (https://github.com/opencontainers/image-spec), and of what `docker save` writes. Read
 * loosely: only what we need must be right.
 */

/** `sha256:` or `sha512:` and hexadecimal digits: nothing in it can lead out of a directory. */
const ociDigestSchema = z.string().regex(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/);

export const ociDescriptorSchema = z.looseObject({
  mediaType: z.string().default(''),
  digest: ociDigestSchema,
  size: z.int().nonnegative(),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: z.looseObject({ architecture: z.string(), os: z.string(), variant: z.string().nullish() }).nullish(),
});
export type OciDescriptor = z.infer<typeof ociDescriptorSchema>;

export const ociIndexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  manifests: z.array(ociDescriptorSchema),
});
export const ociManifestSchema = z.looseObject({
  schemaVersion: z.literal(2),
  config: ociDescriptorSchema,
  layers: z.array(ociDescriptorSchema).max(4096),
  annotations: z.record(z.string(), z.string()).nullish(),
});
export const ociConfigSchema = z.looseObject({
  architecture: z.string().optional(),
  os: z.string().optional(),
  rootfs: z.looseObject({ diff_ids: z.array(ociDigestSchema) }),
});
/** `manifest.json` of `docker save`: paths in the archive. */
export const dockerArchiveSchema = z
  .array(
    z.looseObject({
      Config: z.string(),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).max(4096),
    }),
  )
  .min(1);

export const ociMediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: {
    none: 'application/vnd.oci.image.layer.v1.tar',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  },
} as const;
const indexTypes: readonly string[] = [
  ociMediaTypes.index,
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const manifestTypes: readonly string[] = [
  ociMediaTypes.manifest,
  'application/vnd.docker.distribution.manifest.v2+json',
];
export const referenceAnnotation = 'org.opencontainers.image.ref.name';
/** Ours, on the manifest: digest of the version, and the facts of its source as JSON, so that they come back with an import. */
export const digestAnnotation = 'imprint.version.digest';
export const sourceAnnotation = 'imprint.version.source';

export const ociLayoutFile = '{"imageLayoutVersion":"1.0.0"}';

/** What a descriptor names. A descriptor without a media type is taken for a manifest. */
export function ociKind({ mediaType }: Pick<OciDescriptor, 'mediaType'>): 'index' | 'manifest' | 'other' {
  if (indexTypes.includes(mediaType)) return 'index';
  return mediaType === '' || manifestTypes.includes(mediaType) ? 'manifest' : 'other';
}

/** A JSON file by its schema. Throws a `FormatError` that says what is wrong where. */
export function parseOciJson<Schema extends z.ZodType>(
  what: string,
  bytes: Uint8Array,
  schema: Schema,
): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError(`${what} is not JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FormatError(`${what}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'it does not fit'}`);
}

/** Go's name of an architecture, which OCI uses, for the kernel's (`uname -m`). */
export function ociArchitecture(kernelName: string | undefined): string {
  const names: Readonly<Record<string, string>> = {
    x86_64: 'amd64',
    aarch64: 'arm64',
    i386: '386',
    i686: '386',
    armv6l: 'arm',
    armv7l: 'arm',
    loongarch64: 'loong64',
  };
  return kernelName === undefined ? 'amd64' : (names[kernelName] ?? kernelName);
}

/** The kernel's name for Go's. */
export function kernelArchitecture(ociName: string): string {
  const names: Readonly<Record<string, string>> = {
    amd64: 'x86_64',
    arm64: 'aarch64',
    '386': 'i686',
    arm: 'armv7l',
    loong64: 'loongarch64',
  };
  return names[ociName] ?? ociName;
}

/** The configuration of an image with one layer, for a version. Cmd and PATH are what a container engine needs to start a shell. */
export function ociConfigOf(record: VersionRecord, diffId: string): object {
  return {
    architecture: ociArchitecture(record.source.architecture),
    os: 'linux',
    created: record.created,
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['/bin/sh'],
      Labels: {
        'org.opencontainers.image.title': record.image,
        'org.opencontainers.image.version': String(record.number),
      },
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created: record.created, created_by: `imprint image export ${record.image}:${record.number}` }],
  };
}
