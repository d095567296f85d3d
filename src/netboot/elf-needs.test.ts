import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { elfNeeds } from './elf-needs.ts';

test('the Node that runs this test needs the C library and a loader', () => {
  const needs = elfNeeds(readFileSync(process.execPath));
  expect(needs?.libraries).toContain('libc.so.6');
  expect(needs?.interpreter).toMatch(/^\/lib.*\/ld-linux/);
});

test('what is no ELF file needs nothing', () => {
  expect(elfNeeds(Buffer.from('#!/bin/sh\n'.padEnd(100)))).toBeUndefined();
  expect(elfNeeds(new Uint8Array())).toBeUndefined();
});

test('a damaged or cut file never makes it throw', () => {
  const start = readFileSync(process.execPath).subarray(0, 4096);
  fc.assert(
    fc.property(fc.nat(4095), fc.nat(255), fc.nat(4096), (at, value, length) => {
      const bytes = Buffer.from(start.subarray(0, length));
      if (at < bytes.length) bytes[at] = value;
      elfNeeds(bytes);
    }),
  );
});
