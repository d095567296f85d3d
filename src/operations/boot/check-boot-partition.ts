import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootFinding } from '../../machine/boot-diagnosis.ts';
import { choosePointer, parsePointer } from '../../machine/boot-pointer-block.ts';
import { parseBootEntry } from '../../machine/boot-records.ts';
import { bootPartitionPaths, partitionLabels } from '../../machine/installed-layout.ts';
import type { BootDisk } from '../../system/boot-disk.ts';
import { ExtFiles } from '../../system/ext-files.ts';
import type { Processes } from '../../system/run.ts';
import type { BootScan } from './scan-boot.ts';

const what = 'boot partition';

/**
 * Whether the boot partition of a disk that Imprint installed has what GRUB needs next: its menu, a pointer, and the entries that it names, with each file as it
 * was written. Nothing is mounted. None where the disk has no such partition. Errors: `tool-missing`, `process-failed`, `interrupted`.
 */
export async function checkBootPartition(
  processes: Processes,
  disk: BootDisk,
  { record }: BootScan,
  signal: AbortSignal,
): Promise<BootFinding[]> {
  const boot = record.table.partitions.find(({ content }) => content?.label === partitionLabels.boot);
  if (boot === undefined) return [];
  const files = new ExtFiles(processes, { path: disk.path, start: boot.start }, signal);
  const found: BootFinding[] = [];
  if (((await files.read(`/${bootPartitionPaths.menu}`)) ?? '') === '') {
    found.push({
      what,
      state: 'bad',
      says: `partition ${boot.number} has no ${bootPartitionPaths.menu}: GRUB stops at its prompt`,
    });
  }
  const records = [];
  for (const path of bootPartitionPaths.pointers)
    records.push(parsePointer(Buffer.from((await files.read(`/${path}`)) ?? '', 'latin1')));
  const pointer = choosePointer(records[0], records[1]);
  if (pointer === undefined) {
    const says = `neither record on partition ${boot.number} is whole: GRUB boots whatever entry there is`;
    return [...found, { what, state: 'note', says }];
  }
  for (const [role, id] of [
    ['trial', pointer.trial],
    ['good', pointer.good],
    ['previous', pointer.previous],
  ] as const) {
    if (id !== undefined) found.push(await checkEntry(id, role, files));
  }
  return found;
}

/** The good entry alone has to be there: another that is broken is passed over. */
async function checkEntry(id: string, role: 'trial' | 'good' | 'previous', files: ExtFiles): Promise<BootFinding> {
  const state = role === 'good' ? 'bad' : 'note';
  const directory = `/${bootPartitionPaths.slots}/${id}`;
  const entry = parseBootEntry((await files.read(`${directory}/entry.json`)) ?? '');
  if (entry === undefined || ((await files.read(`${directory}/entry.cfg`)) ?? '') === '') {
    return { what, state, says: `the ${role} entry, ${id}, is not there whole` };
  }
  const work = await mkdtemp(join(tmpdir(), 'imprint-entry-'));
  try {
    for (const [name, sha256] of Object.entries(entry.files)) {
      const copy = join(work, name);
      await files.copy(`${directory}/${name}`, copy);
      if ((await hashOf(copy)) !== sha256)
        return { what, state, says: `${name} of the ${role} entry, ${id}, is damaged` };
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return {
    what,
    state: 'good',
    says: `the ${role} entry, ${id}, is whole (${entry.reference}, Linux ${entry.kernelVersion})`,
  };
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(path)) hash.update(piece);
  } catch {
    // It is not there: that has no hash that anything was promised.
    return '';
  }
  return hash.digest('hex');
}
