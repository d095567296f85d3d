import type { ExportFormat, ExportInput } from '../contract/operations/exports.ts';
import type { Digest } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import type { Store, StoredVersion } from '../store/store.ts';
import type { Processes } from '../system/run.ts';

/** What an exporter is given. */
export interface ExportJob {
  store: Store;
  version: StoredVersion;
  digest: Digest;
  input: ExportInput;
  processes: Processes;
  task: Task;
}

/** What it says of its work. */
export interface ExportReport {
  entries: number;
  /** Bytes written. */
  bytes: number;
  manifestDigest?: Digest;
  warnings: string[];
}

/** Takes the next bytes of the target, in order; resolves when more may come. The bytes may be used again then. */
export type WriteBytes = (bytes: Uint8Array) => Promise<void>;

/**
 * How one format is written. Whoever writes gets a place of its own beside the target, which is made durable and renamed when all
 * is well, and goes when it is not. From the same version and options come the same bytes, on any machine, at any time.
 *
 * - `stream`: bytes in order; may go to stdout.
 * - `file`: the path of an empty file, to be written in any order.
 * - `directory`: the path of an empty directory.
 */
export type ExportFormatDefinition = {
  /** Ends of file names that mean this format where none was given. */
  readonly endings: readonly string[];
} & (
  | { readonly kind: 'stream'; load(): Promise<(job: ExportJob, write: WriteBytes) => Promise<ExportReport>> }
  | { readonly kind: 'file' | 'directory'; load(): Promise<(job: ExportJob, path: string) => Promise<ExportReport>> }
);

/** Every format there is; the code of each is loaded when it is asked for. */
export const exportFormats: { readonly [Name in ExportFormat]: ExportFormatDefinition } = {
  'oci-archive': {
    kind: 'file',
    endings: ['.oci', '.oci.tar', '.oci-archive'],
    load: async () => (await import('./export-oci.ts')).exportOciArchive,
  },
  oci: {
    kind: 'directory',
    endings: [],
    load: async () => (await import('./export-oci.ts')).exportOciDirectory,
  },
  tar: {
    kind: 'stream',
    endings: ['.tar', '.tar.gz', '.tgz', '.tar.zst', '.tzst'],
    load: async () => (await import('./export-tar.ts')).exportTar,
  },
  raw: {
    kind: 'file',
    endings: ['.raw', '.img'],
    load: async () => (await import('./export-disk.ts')).exportRaw,
  },
  qcow2: {
    kind: 'file',
    endings: ['.qcow2'],
    load: async () => (await import('./export-disk.ts')).exportQcow2,
  },
};

/** The format that a target's name asks for: `FORMAT:TARGET`, or the end of the name; undefined where it says nothing. */
export function formatOfTarget(target: string): { format: ExportFormat; target: string } | undefined {
  const names = Object.keys(exportFormats) as ExportFormat[];
  const named = names.find((name) => target.startsWith(`${name}:`));
  if (named !== undefined) return { format: named, target: target.slice(named.length + 1) };
  if (target === '-') return { format: 'tar', target };
  const format = names.find((name) => exportFormats[name].endings.some((ending) => target.endsWith(ending)));
  return format === undefined ? undefined : { format, target };
}
