import { expect, it } from 'vitest';
import { elfMachine } from './elf-machine.ts';

const elf = (order: number, machine: readonly number[]) =>
  Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, order, ...new Array(12).fill(0), ...machine]);

it.each([
  [elf(1, [62, 0]), 'x86_64'],
  [elf(1, [183, 0]), 'aarch64'],
  [elf(2, [0, 22]), 's390x'],
  [elf(2, [0, 21]), 'ppc64'],
  [elf(1, [21, 0]), 'ppc64le'],
  [elf(1, [255, 255]), undefined],
  [Buffer.from('#!/bin/sh\n'.padEnd(64)), undefined],
  [new Uint8Array(4), undefined],
])('knows the machine of a program (%#)', (head, machine) => {
  expect(elfMachine(head)).toBe(machine);
});
