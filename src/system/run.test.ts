import { describe, expect, it } from 'vitest';
import { commandLine } from './run.ts';
import { packageOf } from './tool-packages.ts';

describe('commandLine', () => {
  it.each([
    [['sfdisk', '--json', '/dev/vda'], 'sfdisk --json /dev/vda'],
    [['sh', '-c', 'echo "a b"'], `sh -c 'echo "a b"'`],
    [['echo', "it's"], `echo 'it'\\''s'`],
    [['echo', ''], "echo ''"],
  ])('writes %j as a person would', ([tool = '', ...args], line) => {
    expect(commandLine(tool, args)).toBe(line);
  });
});

it('knows the package of a tool by its name or path', () => {
  expect(packageOf('/usr/sbin/sfdisk')).toBe('fdisk');
  expect(packageOf('qemu-system-x86_64')).toBe('qemu-system-x86');
  expect(packageOf('unheard-of')).toBe('unheard-of');
});
