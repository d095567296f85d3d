import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { kvmWorks } from '../../src/system/kvm.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { cacheDirectory } from './cache.ts';

export type Accelerator = 'kvm' | 'tcg';

/**
 * What QEMU can run on here: KVM only where a trial machine answers. The answer is kept per kernel and boot; `IMPRINT_LAB_ACCELERATOR` overrides it.
 */
export async function accelerator(): Promise<Accelerator> {
  const wanted = process.env.IMPRINT_LAB_ACCELERATOR;
  if (wanted === 'kvm' || wanted === 'tcg') return wanted;
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const file = join(cacheDirectory(), 'lab', 'accelerator.json');
  const key = `${release()} ${bootId}`;
  const known = await readFile(file, 'utf8').then(JSON.parse, () => undefined);
  if (known?.key === key) return known.accelerator;
  const found: Accelerator = (await kvmWorks(systemProcesses)) ? 'kvm' : 'tcg';
  await mkdir(join(cacheDirectory(), 'lab'), { recursive: true });
  await writeFile(file, JSON.stringify({ key, accelerator: found }));
  return found;
}
