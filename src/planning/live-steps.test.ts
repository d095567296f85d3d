import { describe, expect, it } from 'vitest';
import { imageContent, versionRecord } from '../../tests/version-record.ts';
import type { InstallOptions } from '../contract/machine.ts';
import { freshIdentity } from '../operations/install/fresh-identity.ts';
import { runningOptions } from './live-steps.ts';
import { type InstallPlan, planInstall } from './plan-install.ts';

const G = 1024 ** 3;
const record = versionRecord({
  number: 3,
  stats: { entries: 60_000, files: 50_000, logicalBytes: 2 * G, contentBytes: 2 * G, newChunks: 0, newBytes: 0 },
});

function planned(
  options: InstallOptions,
  {
    size = 20 * G,
    kernel,
    running,
  }: { size?: number; kernel?: string; running?: { name: string; fileSystem: 'ext4' | 'xfs' } } = {},
) {
  const disk = {
    path: '/dev/vda',
    size,
    sectorSize: 512,
    removable: false,
    readOnly: false,
    content: 'empty',
    inUse: [],
  };
  return planInstall({
    ...{ name: 'web1', reference: 'web:3', record, content: imageContent(), fresh: freshIdentity() },
    facts: {
      ...{ architecture: 'x86_64', cpu: 'cpu', cores: 1, memory: G, firmware: 'bios', interfaces: [], disks: [disk] },
    },
    options: { ...options, live: true },
    ...(kernel !== undefined && { kernel }),
    ...(running && { running }),
  });
}

function kinds(plan: InstallPlan): string[] {
  if (plan.kind === 'refused') throw plan.error;
  return plan.steps.map(({ kind }) => kind);
}

describe('an install of a machine that is in use meanwhile', () => {
  it('makes the disk, starts the system, and does the rest beside it', () => {
    expect(kinds(planned({}))).toEqual([
      ...['wipe-disk', 'partition-disk', 'make-esp', 'install-bios-boot', 'install-uefi-boot', 'start-live'],
      ...['write-fstab', 'write-identity', 'hand-over', 'write-agent', 'write-boot-partition', 'move-live'],
    ]);
  });

  it('leaves a system that runs already what it is, but for its mounts and, where that is wanted, its name', () => {
    const before = ['wipe-disk', 'partition-disk', 'make-esp', 'install-bios-boot', 'install-uefi-boot', 'start-live'];
    const after = ['hand-over', 'write-boot-partition', 'move-live'];
    expect(kinds(planned({}, { running: { name: 'web1', fileSystem: 'ext4' } }))).toEqual([
      ...before,
      'write-fstab',
      ...after,
    ]);
    expect(kinds(planned({}, { running: { name: 'live', fileSystem: 'ext4' } }))).toEqual([
      ...[...before, 'write-fstab', 'rename-system', ...after],
    ]);
  });

  it('leaves a system that runs already on its file system, whatever others a layout would have', () => {
    const [onExt4, onXfs] = [
      { running: { name: 'web1', fileSystem: 'ext4' } },
      { running: { name: 'web1', fileSystem: 'xfs' } },
    ] as const;
    expect(runningOptions({ disk: 'first' }, 'xfs')).toEqual({ disk: 'first', fileSystem: 'xfs', live: true });
    expect(runningOptions({ layout: 'own' }, 'xfs')).toEqual({ layout: 'own', live: true });
    const plan = planned(runningOptions({}, 'xfs'), onXfs);
    if (plan.kind === 'refused') throw plan.error;
    const root = plan.steps.find((step) => step.kind === 'start-live');
    expect(root).toMatchObject({ fileSystem: 'xfs' });
    const fstab = plan.steps.find((step) => step.kind === 'write-fstab');
    expect(fstab?.mounts.root).toMatchObject({ type: 'xfs', uuid: root?.uuid });
    for (const other of [planned({ fileSystem: 'xfs' }, onExt4), planned({}, onXfs)])
      expect(other).toMatchObject({ kind: 'refused', error: { code: 'live-unfit' } });
    const refused = planned(runningOptions({ fileSystem: 'btrfs' }, 'xfs'), onXfs);
    expect(refused.kind === 'refused' ? refused.error.message : '').toContain('lies on xfs');
  });

  it('leaves the other slots for later', () => {
    const steps = kinds(planned({ layout: 'slots' }));
    expect(steps.indexOf('make-root')).toBeGreaterThan(steps.indexOf('hand-over'));
    expect(steps.filter((kind) => kind === 'make-root')).toHaveLength(1);
  });

  it('is refused where it cannot be: a root in a file, too little room, another kernel', () => {
    const problems = [
      planned({ layout: 'files' }),
      planned({}, { size: 6 * G }),
      planned({}, { kernel: '5.10.0-1-amd64' }),
    ].map((plan) => (plan.kind === 'refused' ? plan.error : undefined));
    expect(problems.map((error) => error?.code)).toEqual(['live-unfit', 'live-unfit', 'live-unfit']);
    expect(problems.map((error) => error?.message)).toEqual([
      expect.stringContaining('a root that is an image file'),
      expect.stringContaining('twice the system'),
      expect.stringContaining('Linux 5.10.0-1-amd64'),
    ]);
    expect(problems[2]?.hint).toContain('imprint media netboot --kernel-from web:3');
    expect(planned({}, { kernel: imageContent().kernels[0]?.version ?? '' }).kind).toBe('plan');
  });
});
