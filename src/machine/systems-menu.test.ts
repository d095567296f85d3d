import { expect, it } from 'vitest';
import type { FoundSystem } from './found-systems.ts';
import { renderSystemsMenu } from './systems-menu.ts';

const record = (id: string): FoundSystem => ({
  ...{ id, title: id, disk: '/dev/vda', partition: 1, remarks: [], partitionUuid: id },
  bios: { kind: 'record' },
});
const onUefi = (id: string): FoundSystem => ({
  ...{ id, title: id, disk: '/dev/vda', partition: 1, remarks: [] },
  uefi: { kind: 'efi', esp: 'CAFE-1234', path: '/EFI/x.efi' },
});
const fallbacks = (text: string) => [...text.matchAll(/set fallback=(.*)/g)].map((match) => match[1]);

it('falls back from a default that is gone to what Imprint boots', () => {
  const systems = [record('a-1'), onUefi('w-2')];
  expect(fallbacks(renderSystemsMenu(systems))).toEqual([]);
  expect(fallbacks(renderSystemsMenu(systems, { default: 'imprint' }))).toEqual([]);
  expect(fallbacks(renderSystemsMenu(systems, { default: 'a-1' }))).toEqual(['0']);
});

it('falls back in a menu of its own to the others that the platform can start', () => {
  const systems = [record('a-1'), onUefi('w-2'), record('b-3'), record('c-4')];
  expect(fallbacks(renderSystemsMenu(systems, { default: 'b-3' }, 'none'))).toEqual(['"0 2"']);
  expect(fallbacks(renderSystemsMenu(systems, {}, 'none'))).toEqual(['"1 2"']);
});
