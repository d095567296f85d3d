import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from './format-error.ts';
import {
  dockerArchiveSchema,
  kernelArchitecture,
  ociArchitecture,
  ociConfigSchema,
  ociIndexSchema,
  ociKind,
  ociManifestSchema,
  parseOciJson,
} from './oci.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const schemas = [ociIndexSchema, ociManifestSchema, ociConfigSchema, dockerArchiveSchema];
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('parseOciJson', () => {
  it('reads what is needed and leaves the rest', () => {
    const manifest = { schemaVersion: 2, config: { digest, size: 2 }, layers: [], subject: { any: 'thing' } };
    expect(parseOciJson('it', bytes(manifest), ociManifestSchema).config.digest).toBe(digest);
  });

  it('refuses digests that would be paths', () => {
    for (const bad of ['sha256:../../etc/passwd', 'md5:00', `sha256:${'0'.repeat(63)}`, `sha256:${'A'.repeat(64)}`]) {
      const index = { schemaVersion: 2, manifests: [{ digest: bad, size: 1 }] };
      expect(() => parseOciJson('it', bytes(index), ociIndexSchema)).toThrow(FormatError);
    }
  });

  it('refuses any other bytes with words', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        fc.constantFrom(...schemas),
        (input, schema) => {
          try {
            parseOciJson('it', input, schema);
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('ociKind', () => {
  it('knows the words of OCI and of Docker', () => {
    expect(ociKind({ mediaType: 'application/vnd.docker.distribution.manifest.list.v2+json' })).toBe('index');
    expect(ociKind({ mediaType: 'application/vnd.docker.distribution.manifest.v2+json' })).toBe('manifest');
    expect(ociKind({ mediaType: 'application/vnd.oci.image.config.v1+json' })).toBe('other');
  });
});

it('knows architectures in both languages', () => {
  for (const name of ['x86_64', 'aarch64', 'riscv64', 's390x'])
    expect(kernelArchitecture(ociArchitecture(name))).toBe(name);
});
