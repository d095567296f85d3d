import { Buffer } from 'node:buffer';
import { toImprintError } from '../foundation/errors.ts';
import { environmentHeader } from '../machine/environment-block.ts';
import type { Processes } from './run.ts';

/** Where distributions and Imprint keep environment blocks of GRUB, on the root or on a boot partition. */
const places = [
  'boot/grub/grubenv',
  'boot/grub2/grubenv',
  'grub/grubenv',
  'grub2/grubenv',
  'imprint/a.env',
  'imprint/b.env',
  'imprint/tries.env',
];

/**
 * GRUB's environment blocks in an ext file system inside a disk or image file, read without mounting it. Where e2fsprogs are missing, none.
 * Errors: `interrupted`.
 */
export async function readEnvironmentBlocks(
  processes: Processes,
  disk: string,
  { start }: { start: number; size: number },
  signal: AbortSignal,
): Promise<{ path: string; content: Buffer }[]> {
  const commands = places.map((path) => `cat /${path}\n`).join('');
  const args = ['-f', '-', `${disk}?offset=${start}`];
  try {
    const { stdout } = await processes.run('debugfs', args, {
      timeout: 30_000,
      signal,
      accept: [0, 1],
      input: commands,
    });
    return findBlocks(stdout);
  } catch (thrown) {
    if (toImprintError(thrown).code === 'interrupted') throw thrown;
    return [];
  }
}

/** debugfs says each command before what it prints. Such a block is text; anything else is none. */
function findBlocks(said: string): { path: string; content: Buffer }[] {
  return said
    .split(/^debugfs: cat \//m)
    .slice(1)
    .flatMap((answer) => {
      const path = places.find((each) => answer.startsWith(`${each}\n${environmentHeader}`));
      // The next command may stand right behind the last byte.
      const text = answer.slice((path?.length ?? 0) + 1).replace(/debugfs: cat [\s\S]*$/, '');
      return path === undefined ? [] : [{ path, content: Buffer.from(text, 'latin1') }];
    });
}
