import { describe, expect, it } from 'vitest';
import { imageContent, versionRecord } from '../../tests/version-record.ts';
import { type UpdateImage, type UpdateNeeds, updateProblems } from './update-problem.ts';

const record = versionRecord({});
const needs: UpdateNeeds = {
  machine: 'web01',
  architecture: 'x86_64',
  drivers: [
    { name: 'virtio_blk', module: true },
    { name: 'pcieport', module: false },
  ],
  fileSystems: ['ext4'],
  file: false,
  addition: false,
};
const good: UpdateImage = {
  content: imageContent(),
  initMachine: 'x86_64',
  kernel: 'kernel',
  modules: { files: new Set(['virtio_blk', 'loop', 'btrfs', 'e1000']), builtIn: new Set(['ext4']) },
  initrd: { modules: new Set(['virtio_blk']) },
};
const files: UpdateNeeds = { ...needs, file: true, addition: true, fileSystems: ['loop', 'ext4', 'btrfs'] };
const without = (names: Partial<UpdateImage>): UpdateImage => ({ ...good, ...names });
const kernels = (kernel: Partial<(typeof good.content.kernels)[number]>) => ({
  ...good.content,
  kernels: [{ version: '6.1', kernel: 'vmlinuz-6.1', ...kernel }],
});

/** What is wrong with the version, what is asked of it, and what is said; `warn` where it is not refused. */
const cases: Record<string, [UpdateImage, UpdateNeeds, RegExp | undefined, 'warn'?]> = {
  nothing: [good, needs, undefined],
  'nothing, in a file: the addition brings loop and btrfs': [good, files, undefined],
  'no kernel': [without({ content: { ...good.content, kernels: [] } }), needs, /holds no kernel/],
  'no init': [without({ content: { ...good.content, init: undefined } as never }), needs, /holds no init/],
  'another architecture': [
    without({ initMachine: 'aarch64' }),
    needs,
    /program for aarch64, and the machine is x86_64/,
  ],
  '32 bit on 64': [without({ initMachine: 'i686' }), needs, undefined],
  'no kernel in the file': [without({ kernel: 'other' }), needs, /is no Linux kernel/],
  'the disk’s module not in the initial RAM disk': [
    without({ initrd: { modules: new Set() } }),
    needs,
    /initial RAM disk lacks the module virtio_blk/,
  ],
  'the disk’s module nowhere': [
    without({ initrd: { modules: new Set() }, modules: { files: new Set(), builtIn: new Set(['ext4']) } }),
    needs,
    /has no driver virtio_blk/,
  ],
  'the disk’s module built in': [
    without({
      initrd: { modules: new Set() },
      modules: { files: new Set(), builtIn: new Set(['ext4', 'virtio_blk']) },
    }),
    needs,
    undefined,
  ],
  'a driver that is built in here and a module there': [
    without({}),
    { ...needs, drivers: [{ name: 'e1000', module: false }] },
    /initial RAM disk lacks the module e1000/,
  ],
  'the root’s file system not in the initial RAM disk': [
    good,
    { ...needs, fileSystems: ['btrfs'] },
    /lacks the module btrfs, which it needs to mount its root/,
  ],
  'the root’s file system unknown': [good, { ...needs, fileSystems: ['xfs'] }, /knows no xfs/],
  'no initial RAM disk and a module': [
    without({ content: kernels({}), initrd: undefined } as never),
    needs,
    /has no initial RAM disk, and not built in the module virtio_blk/,
  ],
  'no initial RAM disk and all built in': [
    without({
      content: kernels({}),
      modules: { files: new Set(), builtIn: new Set(['ext4', 'virtio_blk']) },
    }),
    needs,
    undefined,
  ],
  'no initial RAM disk for a file': [without({ content: kernels({}) }), files, /no root in a file is found/],
  'an initial RAM disk of nobody, for a file': [
    without({ initrdUnknown: true }),
    files,
    /neither initramfs-tools nor dracut/,
  ],
  'an initial RAM disk of nobody': [without({ initrdUnknown: true }), needs, /neither initramfs-tools/, 'warn'],
  'no C library for the agent': [
    without({ content: { ...good.content, runsNode: false } }),
    needs,
    /lacks the C library/,
    'warn',
  ],
  'no modules at all': [{ content: good.content }, needs, undefined],
};

describe('what speaks against booting a version', () => {
  it.each(Object.entries(cases))('%s', (_, [image, asked, expected, kind]) => {
    const [first] = updateProblems('web:3', record, image, asked);
    if (expected === undefined) expect(first).toBeUndefined();
    else {
      expect(first?.error.message).toMatch(expected);
      expect(first?.fatal).toBe(kind !== 'warn');
    }
  });
});
