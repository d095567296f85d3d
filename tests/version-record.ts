import type { VersionRecord } from '../src/contract/image.ts';

/** The record of a version of a small Debian, which differs by what is given. */
export function versionRecord(more: Partial<VersionRecord>): VersionRecord {
  return {
    format: 1,
    image: 'web',
    number: 1,
    digest: `sha256:${'a'.repeat(64)}`,
    manifestBytes: 1,
    created: '2026-01-01T00:00:00Z',
    source: {
      location: 'ssh://root@golden',
      hostName: 'golden',
      architecture: 'x86_64',
      bootMode: 'bios',
      kernelOptions: 'quiet console=ttyS0,115200',
      system: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
      disks: [],
      fileSystems: [],
    },
    stats: { entries: 30, files: 10, logicalBytes: 11e6, contentBytes: 11e6, newChunks: 0, newBytes: 0 },
    excluded: [],
    scrubbed: [],
    warnings: [],
    ...more,
  };
}
