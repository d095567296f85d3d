/**
 * QEMU's arguments for a drive of which everything that the machine writes is logged (`write-log.ts`). What the machine flushes is noted as a
 * flush, and costs nothing on this computer. `log` is an existing, empty file.
 */
export function loggedDrive(id: string, disk: string, log: string): string[] {
  const file = { driver: 'file', filename: disk, cache: { 'no-flush': true }, discard: 'unmap' };
  const node = {
    'node-name': id,
    driver: 'blklogwrites',
    'log-sector-size': 512,
    discard: 'unmap',
    file: { driver: 'qcow2', file, cache: { 'no-flush': true }, discard: 'unmap' },
    log: { driver: 'file', filename: log, cache: { 'no-flush': true } },
  };
  return ['-blockdev', JSON.stringify(node)];
}
