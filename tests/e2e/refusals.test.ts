import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';
import { cacheDirectory } from '../lab/cache.ts';
import { hashDisk } from '../lab/disk.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import type { Machine } from '../lab/machine.ts';
import { failed, laboratoryWithImage } from './prepared.ts';

const second = 1000;
const minute = 60 * second;
const name = 'careful';
const disks = ['200M', '4G', '5G'];

let lab: Laboratory;
let bare: Machine;
let untouched: string[];

const hashes = () => Promise.all(disks.map((_, index) => hashDisk(lab.diskOf('bare', index))));

beforeAll(async () => {
  lab = await laboratoryWithImage();
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

/** Tells where the logs are when a step of the story fails. */
function step(title: string, work: () => Promise<void>): void {
  it(title, async () => {
    try {
      await work();
    } catch (error) {
      await failed(lab, error);
      throw error;
    }
  });
}

// One machine, step after step: what one refused, the next puts right.
step('an imager that carries another server’s key obeys nothing that ours says', async () => {
  const initrd = join(lab.data, 'netboot/initrd.img');
  const ours = join(lab.directory, 'ours.img');
  await copyFile(initrd, ours);
  const other = join(lab.directory, 'other');
  await systemProcesses.run(join(import.meta.dirname, '../../imprint'), ['media', 'netboot', '--data', other], {
    timeout: 10 * minute,
    env: { IMPRINT_CACHE: cacheDirectory() },
  });
  await copyFile(join(other, 'netboot/initrd.img'), initrd);
  try {
    await using stranger = await lab.startBare({ name: 'stranger', number: 20 });
    const before = await hashDisk(lab.diskOf('stranger'));
    await lab.imprintJson(['machine', 'add', 'stranger', '--mac', stranger.mac, '--image', 'web']);
    await lab.imprintJson(['install', 'stranger', '--yes']);
    await stranger.serial.expect(/not made by a key|signature/i, 4 * minute);
    await new Promise((resolve) => setTimeout(resolve, 5 * second));
    expect(await hashDisk(lab.diskOf('stranger'))).toBe(before);
  } finally {
    await copyFile(ours, initrd);
    await lab.imprint(['machine', 'rm', 'stranger', '--yes']);
  }
});

step('an unknown machine is registered, and its disks stay as they are', async () => {
  bare = await lab.startBare({ name: 'bare', number: 21, disks });
  untouched = await hashes();
  const found = await lab.untilMachine(bare.mac, 'is discovered', 4 * minute, (each) => each.facts !== undefined);
  expect(found).toMatchObject({ state: 'discovered', approved: false });
  await new Promise((resolve) => setTimeout(resolve, 10 * second));
  expect(await hashes()).toEqual(untouched);
  const refused = await lab.imprint(['install', found.name, '--image', 'web', '--yes']);
  expect(refused, refused.stderr).toMatchObject({ status: 4 });
  await lab.imprintJson(['machine', 'approve', found.name, '--name', name, '--image', 'web', '--address', '10.9.0.21']);
});

step('two disks that could take the image: refused, with the command that says which', async () => {
  const refused = await lab.imprint(['install', name, '--yes', '--wait'], 2 * minute);
  expect(refused, refused.stderr).toMatchObject({ status: 4 });
  expect(refused.stderr).toContain('2 disks');
  expect(refused.stderr).toContain('machine set');
  expect(await hashes()).toEqual(untouched);
});

step('a disk that is too small: refused, with what it would need', async () => {
  const refused = await lab.imprint(['install', name, '--disk', 'serial=bare-0', '--yes', '--wait'], 2 * minute);
  expect(refused, refused.stderr).toMatchObject({ status: 4 });
  expect(refused.stderr).toMatch(/needs at least/);
  expect(await hashes()).toEqual(untouched);
});

step('the server stops in the middle of an install, comes back, and the install ends well', async () => {
  const from = bare.serial.mark();
  await lab.imprintJson(['install', name, '--disk', 'serial=bare-1', '--yes']);
  await bare.serial.expect(/restore web:1/, 2 * minute, from);
  await new Promise((resolve) => setTimeout(resolve, 8 * second));
  await lab.stopServer('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 10 * second));
  await lab.startServer();
  await bare.serial.expect(/E2E-READY [^\n]*\n/, 8 * minute, from);
  await lab.untilMachine(bare.mac, 'is healthy', 2 * minute, (each) => each.state === 'healthy');
  const [small, , large] = await hashes();
  expect([small, large]).toEqual([untouched[0], untouched[2]]);
});
