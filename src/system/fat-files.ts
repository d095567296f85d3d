import type { Processes } from './run.ts';

/** A FAT file system inside a disk or image file. */
export interface FatPlace {
  path: string;
  /** Bytes. */
  offset: number;
}

/**
 * Writes files into a FAT file system that nobody has mounted, with the directories on their way; what is there is replaced. By mtools, so
 * that the kernel need not know FAT. Errors: `tool-missing`, `process-failed`.
 */
export async function writeFatFiles(
  processes: Processes,
  { path, offset }: FatPlace,
  files: readonly { path: string; from: string }[],
  signal: AbortSignal,
): Promise<void> {
  const options = { timeout: 120_000, env: { MTOOLS_SKIP_CHECK: '1' }, signal };
  const image = `${path}@@${offset}`;
  for (const directory of directoriesOf(files.map((file) => file.path))) {
    // -D s: what is there already is fine.
    await processes.run('mmd', ['-D', 's', '-i', image, `::/${directory}`], { ...options, accept: [0, 1] });
  }
  for (const file of files) await processes.run('mcopy', ['-o', '-i', image, file.from, `::/${file.path}`], options);
}

/** Every directory on the way to these files, parents first. */
function directoriesOf(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) found.add(parts.slice(0, depth).join('/'));
  }
  return [...found];
}
