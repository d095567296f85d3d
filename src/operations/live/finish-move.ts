import type { RootFileSystem } from '../../machine/root-file-system.ts';
import { growFileSystem } from '../../system/filesystem.ts';
import { deviceSize } from '../../system/partition.ts';
import type { Processes } from '../../system/run.ts';
import { LiveDisk } from './live-disk.ts';

const fileSystems: readonly RootFileSystem[] = ['ext4', 'xfs', 'btrfs'];

/**
 * Ends a move onto the disk that was cut right behind its last phase: the system runs from its partition, and the file system does not have all of it yet. Whether there was
 * such a thing. Errors: `io-failed`, `process-failed`.
 */
export async function finishMove(processes: Processes, root = '/'): Promise<boolean> {
  const found = await processes.run('findmnt', ['-nro', 'SOURCE,FSTYPE', root], { timeout: 20_000, accept: [0, 1] });
  const [source = '', type] = found.stdout.trim().split(' ');
  const device = source.replace(/\[.*$/, '');
  const fileSystem = fileSystems.find((each) => each === type);
  if (!device.startsWith('/dev/') || device.startsWith('/dev/mapper/') || fileSystem === undefined) return false;
  const length = (await deviceSize(device)) / 512;
  {
    await using disk = await LiveDisk.open(device, { readOnly: true });
    const record = await disk.record(length);
    if (record?.phase !== 'done' || (await disk.isOvergrown(fileSystem, record))) return false;
  }
  await using disk = await LiveDisk.open(device);
  await disk.forgetRecords(length);
  await growFileSystem(processes, { fileSystem, directory: root, device });
  return true;
}
