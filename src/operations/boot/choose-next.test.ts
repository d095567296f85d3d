import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { chooseNext, readNext } from './choose-next.ts';

const vendor = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
let variables: string;
beforeEach(async () => {
  variables = await mkdtemp(join(tmpdir(), 'imprint-variables-'));
});
afterEach(() => rm(variables, { recursive: true }));

const set = (name: string, content: Buffer) => writeFile(join(variables, `${name}-${vendor}`), content);
/** An entry that starts a file, without saying where it is. */
function option(name: string, file: string): Buffer {
  const path = Buffer.from(`${file}\0`, 'utf16le');
  const list = Buffer.concat([Buffer.from([4, 4, path.length + 4, 0]), path]);
  const head = Buffer.alloc(10);
  head.writeUInt32LE(7, 0);
  head.writeUInt32LE(1, 4);
  head.writeUInt16LE(list.length, 8);
  return Buffer.concat([head, Buffer.from(`${name}\0`, 'utf16le'), list]);
}

it('lists what the firmware starts in its order, and chooses the next by number, name or kind', async () => {
  await set('Boot0001', option('debian', '\\EFI\\debian\\shimx64.efi'));
  await set('Boot0002', option('Windows Boot Manager', '\\EFI\\Microsoft\\Boot\\bootmgfw.efi'));
  await set('Boot000A', option('UEFI PXE', ''));
  await set('BootOrder', Buffer.from('0700000002000100', 'hex'));
  await set('BootCurrent', Buffer.from('060000000100', 'hex'));
  const next = async () => (await readNext({ variables })).entries.find((entry) => entry.next)?.number;
  expect((await readNext({ variables })).entries.map(({ number }) => number)).toEqual(['0002', '0001', '000A']);
  expect((await readNext({ variables })).entries.find(({ current }) => current)?.name).toBe('debian');
  for (const [entry, number] of [
    ['windows', '0002'],
    ['000a', '000A'],
    ['Boot0001', '0001'],
    ['pxe', '000A'],
    ['debian', '0001'],
  ] as const) {
    await chooseNext({ variables }, { entry, cancel: false });
    expect(await next()).toBe(number);
  }
  expect((await readFile(join(variables, `BootNext-${vendor}`))).toString('hex')).toBe('070000000100');
  await expect(chooseNext({ variables }, { entry: 'e', cancel: false })).rejects.toMatchObject({
    code: 'boot-entry-unknown',
  });
  await expect(chooseNext({ variables }, { entry: 'beos', cancel: false })).rejects.toThrow(/no entry “beos”/);
  await chooseNext({ variables }, { cancel: true });
  expect(await next()).toBeUndefined();
});

it('says so where there is no UEFI', async () => {
  await expect(readNext({ variables: join(variables, 'none') })).rejects.toMatchObject({ code: 'firmware-silent' });
});
