import { expect, it } from 'vitest';
import { cpuModel, dmiText, dmiUuid, scsiSerial, totalMemory } from './machine-facts.ts';

it.each([
  ['QEMU\n', 'QEMU'],
  ['To Be Filled By O.E.M.\n', undefined],
  ['Default string', undefined],
  ['0000000000', undefined],
  ['', undefined],
  [undefined, undefined],
])('cleans what the firmware says: %j', (text, expected) => {
  expect(dmiText(text)).toBe(expected);
});

it.each([
  ['4C4C4544-0042-3510-8057-B4C04F4E5931\n', '4c4c4544-0042-3510-8057-b4c04f4e5931'],
  ['00000000-0000-0000-0000-000000000000', undefined],
  ['FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', undefined],
  ['03000200-0400-0500-0006-000700080009', undefined],
  ['Not Settable', undefined],
])('takes only a UUID of the machine’s own: %j', (text, expected) => {
  expect(dmiUuid(text)).toBe(expected);
});

it('reads processors, memory and SCSI serial numbers', () => {
  expect(cpuModel('processor : 0\nmodel name\t: Intel(R) Xeon\n')).toBe('Intel(R) Xeon');
  expect(totalMemory('MemTotal:        1024 kB\nMemFree: 1 kB\n')).toBe(1024 ** 2);
  expect(scsiSerial(Buffer.from([0, 0x80, 0, 4, 0x20, 0x53, 0x31, 0x20]))).toBe('S1');
  expect(scsiSerial(Buffer.from([0, 0x83, 0, 0]))).toBeUndefined();
});
