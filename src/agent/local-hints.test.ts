import { expect, it } from 'vitest';
import { ImprintError } from '../foundation/errors.ts';
import { atTheMachine } from './local-hints.ts';

it('names what can be done at a machine that has no server', () => {
  const details = { machine: 'web01', count: 2, disks: 'a; b', example: 'serial=S1' };
  expect(atTheMachine(new ImprintError('disk-ambiguous', details).toValue()).hint).toBe(
    'Say which one: DISK=serial=S1 in local.cfg',
  );
  const use = new ImprintError('disk-in-use', { disk: '/dev/sda', machine: 'web01', use: 'mounted' });
  expect(atTheMachine(use.toValue()).hint).toMatch(/^Let go of it.*name another disk: DISK=RULE in local\.cfg$/);
  const luks = { disk: '/dev/sda', machine: 'web01', content: '/dev/sda1 (LUKS, 1 GiB)', kinds: 'luks' };
  expect(atTheMachine(new ImprintError('disk-erase-unsaid', luks).toValue()).hint).toMatch(
    /: ERASE=luks in local\.cfg/,
  );
  const image = new ImprintError('image-not-found', { reference: 'db', store: 'this medium' });
  expect(atTheMachine(image.toValue()).hint).toMatch(/IMAGESERVER/);
  expect(atTheMachine(image.toValue()).message).toBe(image.message);
});
