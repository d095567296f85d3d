import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemProcesses } from '../../../src/system/run.ts';
import { seededRandom } from '../cut-plan.ts';
import { churnBlock, churnBlocks } from './work.ts';

/** Makes the source of live systems, an ext4 file system with `churn` and some files beside it, as a raw disk of this many MiB. */
export async function makeSource(file: string, mebibytes: number, files: number): Promise<void> {
  const tree = await mkdtemp(`${file}-`);
  try {
    await writeFile(
      join(tree, 'churn'),
      Buffer.concat(Array.from({ length: churnBlocks }, (_, index) => churnBlock(index, 0))),
    );
    const random = seededRandom(files);
    for (let index = 0; index < files; index += 1) {
      const words = new Uint32Array(1 + Math.floor(random() * 64 * 1024));
      for (let at = 0; at < words.length; at += 1) words[at] = random() * 2 ** 32;
      await writeFile(join(tree, `source-${index}`), words);
    }
    await writeFile(file, '');
    await truncate(file, mebibytes << 20);
    const options = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '0', '-J', 'size=4', '-d', tree];
    await systemProcesses.run('mke2fs', [...options, file], { timeout: 60_000 });
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}
