import type { VersionRecord } from '../src/contract/image.ts';
import type { ImageContent } from '../src/machine/image-content.ts';

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

/** What is in it: systemd, a kernel with its initial RAM disk, an ssh server without keys. */
export function imageContent(more: Partial<ImageContent> = {}): ImageContent {
  return {
    kernels: [{ version: '6.1.0-10', kernel: 'vmlinuz-6.1.0-10', initrd: 'initrd.img-6.1.0-10' }],
    init: 'sbin/init',
    systemd: true,
    sshServer: true,
    selinux: false,
    runsNode: true,
    hostKeys: [],
    ...more,
  };
}
