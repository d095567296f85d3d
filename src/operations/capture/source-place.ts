import { open, stat } from 'node:fs/promises';
import { ImprintError } from '../../foundation/errors.ts';
import { headLength, recogniseContent } from '../../image/content-kind.ts';

/** Kinds of sources, each captured in its own way (`capture-image.ts`). */
export const sourceKinds = ['ssh', 'directory', 'tar', 'oci', 'oci-archive', 'docker-archive', 'disk'] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** A source as the user named it, with its kind known. */
export interface SourcePlace {
  kind: SourceKind;
  /** The file or directory; `-` for stdin; for ssh the whole URL. */
  path: string;
}

const prefixed = ['tar', 'oci', 'oci-archive', 'docker-archive', 'disk'] as const satisfies readonly SourceKind[];

/**
 * What a source is: by its prefix (`ssh:`, `tar:`, `oci:`, `oci-archive:`, `docker-archive:`, `disk:`), else by what is there: a
 * directory, a block device, or a file whose first bytes tell. `-` is a tar on stdin.
 *
 * Errors: `source-not-found`, `source-unfit`.
 */
export async function findSource(source: string): Promise<SourcePlace> {
  if (source.startsWith('ssh:')) return { kind: 'ssh', path: source };
  const prefix = prefixed.find((kind) => source.startsWith(`${kind}:`));
  if (prefix !== undefined) return { kind: prefix, path: source.slice(prefix.length + 1) };
  if (source === '-') return { kind: 'tar', path: '-' };
  const found = await stat(source).catch((cause: unknown) => {
    throw new ImprintError('source-not-found', { source }, { cause });
  });
  if (found.isDirectory()) return { kind: 'directory', path: source };
  if (found.isBlockDevice()) return { kind: 'disk', path: source };
  // A named pipe or the like can be read once: only a tar can come that way.
  if (!found.isFile()) return { kind: 'tar', path: source };
  return { kind: await kindOfFile(source), path: source };
}

async function kindOfFile(path: string): Promise<SourceKind> {
  await using file = await open(path, 'r');
  const head = Buffer.alloc(headLength);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const content = recogniseContent(head.subarray(0, bytesRead));
  if (content !== undefined) return content.kind === 'compressed' ? 'tar' : content.kind;
  throw new ImprintError('source-unfit', {
    source: path,
    problem:
      bytesRead === 0 ? 'the file is empty' : 'it is neither an archive nor a disk image of a kind that is known',
    hint: 'Say what it is with a prefix: tar:FILE, oci-archive:FILE, disk:FILE.',
  });
}
