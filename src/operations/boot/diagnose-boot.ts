import { type BootDiagnosis, diagnoseDisk } from '../../machine/boot-diagnosis.ts';
import type { BootDisk } from '../../system/boot-disk.ts';
import type { BootScan, ScanSurroundings } from './scan-boot.ts';

/** Whether a disk can boot, from what was read of it. Errors: `io-failed`. */
export function diagnoseBoot(
  disk: BootDisk,
  scan: BootScan,
  { variables }: Pick<ScanSurroundings, 'variables'>,
): BootDiagnosis {
  return diagnoseDisk({
    structure: scan.structure,
    read: (offset, length) => disk.read(offset, length),
    volumes: scan.record.volumes,
    head: ({ offset }, { runs, size }) => disk.read(offset + (runs[0]?.offset ?? 0), size < 2 ? 0 : 512),
    firmware: scan.record.machine.firmware,
    variables,
  });
}
