import { describe, expect, it } from 'vitest';
import { imageContent, versionRecord } from '../../tests/version-record.ts';
import type { DiskFacts } from '../contract/machine.ts';
import type { Script } from '../contract/scripts.ts';
import type { ImageContent } from '../machine/image-content.ts';
import { freshIdentity } from '../operations/install/fresh-identity.ts';
import { type InstallPlan, planInstall } from './plan-install.ts';
import { describeStep } from './step.ts';

const G = 1024 ** 3;

const disk: DiskFacts = {
  ...{
    path: '/dev/vda',
    size: 20 * G,
    sectorSize: 512,
    removable: false,
    readOnly: false,
    content: 'empty',
    inUse: [],
  },
};

function planned(scripts: readonly Script[], content: Partial<ImageContent>): InstallPlan {
  return planInstall({
    name: 'web01',
    facts: {
      ...{ architecture: 'x86_64', cpu: 'QEMU', cores: 1, memory: G, firmware: 'bios', interfaces: [], disks: [disk] },
    },
    reference: 'web:3',
    record: versionRecord({}),
    content: imageContent(content),
    options: {},
    fresh: freshIdentity(),
    scripts,
  });
}

function steps(scripts: readonly Script[], content: Partial<ImageContent>) {
  const plan = planned(scripts, content);
  if (plan.kind === 'refused') throw plan.error;
  return plan.steps;
}

const script = (phase: Script['phase'], name: string): Script => ({
  ...{ phase, name, for: { kind: 'all' }, text: '#!/bin/sh\n' },
});
const scripts = [script('pre-install', '1'), script('post-install', '2'), script('first-boot', '3')];

describe('the steps of scripts', () => {
  it('come before the first write, and in the system before its kernel goes to the boot partition', () => {
    const all = steps(scripts, { scripts: { 'post-install': ['0-own'] } });
    expect(all[0] && describeStep(all[0])).toBe('run the pre-install scripts 1 (all)');
    expect(all[0]).toMatchObject({ variables: { HOSTNAME: 'web01', DISK: '/dev/vda', IMAGENAME: 'web' } });
    const at = all.findIndex(({ kind }) => kind === 'write-boot-partition');
    expect(all.slice(at - 2, at).map(describeStep)).toEqual([
      'have the first boot run 3 (all)',
      'run the post-install scripts 0-own (the version), 2 (all)',
    ]);
  });

  it('are refused where nothing would run those of the first boot', () => {
    const plan = planned(scripts, { systemd: false });
    expect(plan).toMatchObject({ kind: 'refused', error: { code: 'scripts-unfit' } });
  });

  it('are none where scripts were emptied', () => {
    const emptied = scripts.map((each) => ({ ...each, text: '' }));
    expect(steps(emptied, { systemd: false })[0]?.kind).toBe('wipe-disk');
  });
});
