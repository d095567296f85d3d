import { expect, test } from 'vitest';
import { bootArguments } from './boot-arguments.ts';

const common = { initramfs: 'initramfs-tools', options: ['console=ttyS0', 'panic=5', 'quiet'] } as const;
const words = (request: Parameters<typeof bootArguments>[0]) => bootArguments(request).join(' ');

test('an entry says where its root lies, and restarts the machine when it cannot go on', () => {
  expect(words({ ...common, root: { purpose: 'partition', uuid: 'r-1' } })).toBe(
    'root=UUID=r-1 ro console=ttyS0 quiet panic=30 boot=imprint',
  );
  expect(words({ ...common, root: { purpose: 'in-place', uuid: 'r-1' }, initramfs: 'dracut' })).toBe(
    'root=UUID=r-1 ro console=ttyS0 quiet panic=30 rd.shell=0 rd.emergency=reboot',
  );
});

test('an image file is named by its path or by the digest of its version', () => {
  const digest = 'ab'.repeat(32);
  for (const image of [`sha256:${digest}`, `images/${digest}.img`]) {
    expect(words({ ...common, root: { purpose: 'file', host: 'h-1', image } })).toMatch(
      new RegExp(
        `^imprint.host=UUID=h-1 imprint.image=images/${digest}.img ro .* boot=imprint rd.shell=0 rd.emergency=reboot$`,
      ),
    );
  }
});

test('an entry of an in-place update says what its kernel wants', () => {
  const journal = { direction: 'undo', id: '20261121-1f3c' } as const;
  expect(words({ ...common, root: { purpose: 'in-place', uuid: 'r', journal }, trialSeconds: 90 })).toBe(
    'root=UUID=r imprint.journal=undo:20261121-1f3c ro console=ttyS0 quiet panic=30 boot=imprint imprint.limit=90',
  );
});
