import { ImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';

export interface DataFileSystemWish {
  device: string;
  /** `ext4`, `xfs`, … */
  fileSystem: string;
  uuid: string;
  label?: string;
  /** Words for mkfs, as the layout has them. */
  options: readonly string[];
}

const patience = 10 * 60_000;

/** mkfs of each kind with what makes it quiet and sure, and how it is told a UUID and a label. */
const makers: Readonly<Record<string, (uuid: string, label: string | undefined) => string[]>> = {
  ext2: ext,
  ext3: ext,
  ext4: ext,
  xfs: (uuid, label) => ['-q', '-f', '-m', `uuid=${uuid}`, ...labelled('-L', label)],
  btrfs: (uuid, label) => ['-q', '-f', '-U', uuid, ...labelled('-L', label)],
};

/** Makes a file system for data, whatever was there. Errors: `process-failed`, `tool-missing`, `layout-unsolvable` (a kind that is not made). */
export async function makeDataFileSystem(
  processes: Processes,
  wish: DataFileSystemWish,
  signal?: AbortSignal,
): Promise<void> {
  const { device, fileSystem, uuid, label, options } = wish;
  const words = makers[fileSystem]?.(uuid, label);
  if (words === undefined) {
    const hint = `Use one of ${Object.keys(makers).join(', ')}.`;
    throw new ImprintError('layout-unsolvable', {
      machine: 'this machine',
      problem: `${fileSystem} is not made`,
      hint,
    });
  }
  await processes.run(`mkfs.${fileSystem}`, [...words, ...options, device], {
    timeout: patience,
    ...(signal && { signal }),
  });
}

function ext(uuid: string, label: string | undefined): string[] {
  return ['-q', '-F', '-U', uuid, ...labelled('-L', label)];
}

function labelled(option: string, label: string | undefined): string[] {
  return label === undefined ? [] : [option, label];
}
