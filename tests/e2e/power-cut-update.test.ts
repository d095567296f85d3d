import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bootPartitionPaths } from '../../src/machine/installed-layout.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { CutDisks } from '../lab/cut-disks.ts';
import type { Cut } from '../lab/cut-plan.ts';
import { overlayDisk } from '../lab/disk.ts';
import { installDisk } from '../lab/installed-disk.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { Machine } from '../lab/machine.ts';
import { placeOfFile } from '../lab/partition-file.ts';
import { runAlone } from '../lab/run-alone.ts';
import { bootPartitionNumber } from '../lab/simulated-machine.ts';
import { takeUpdateStore } from '../lab/update-store.ts';
import { WriteLog } from '../lab/write-log.ts';
import { failed } from './prepared.ts';

const minute = 60_000;

let lab: Laboratory;

beforeAll(async () => {
  lab = await Laboratory.open();
  await takeUpdateStore(lab.data);
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

/** The bulk of the cuts is looked at without booting (`tests/endurance/update-power-cut.test.ts`); these few are really booted. */
it('a machine whose power fails around the record of the pointer starts the old or the new version, whole', async () => {
  const [file, base] = [join(lab.directory, 'cut.raw'), join(lab.directory, 'base.raw')];
  try {
    const options = { layout: 'slots', fileSystem: 'ext4' } as const;
    await installDisk({
      file,
      size: '4G',
      name: 'cut02',
      image: 'web:1',
      options,
      data: lab.data,
      server: 'http://10.9.0.1:4280',
    });
    await systemProcesses.run('cp', ['--sparse=always', file, base], { timeout: 2 * minute });
    const recorder = join(import.meta.dirname, '../endurance/cut-recorder.ts');
    await mkdir(join(lab.directory, 'machine'));
    const words = [file, join(lab.directory, 'machine'), join(lab.data, 'store'), options.layout, 'update'];
    await runAlone(recorder, words, 5 * minute);
    await using log = await WriteLog.open(`${file}.log`);
    await using cuts = await CutDisks.open(base, log);
    const seen: string[] = [];
    for (const [index, cut] of (await sample(base, log)).entries()) {
      await using disk = await cuts.make(cut);
      seen.push(await bootOf(disk.path, index));
    }
    expect(seen).toEqual(['web:1', 'web:2', 'web:2']);
  } catch (error) {
    await failed(lab, error);
    throw error;
  }
});

/** Just before the last record of the pointer is written, just after it was flushed, and when all is done. */
async function sample(base: string, log: WriteLog): Promise<Cut[]> {
  const { entries } = log;
  const places = await Promise.all(
    bootPartitionPaths.pointers.map((path) => placeOfFile(base, bootPartitionNumber, path)),
  );
  const record = entries.findLastIndex(
    ({ kind, offset, length }) =>
      kind === 'write' && places.some((place) => offset < place + 1024 && offset + length > place),
  );
  const flushed = entries.findIndex(({ kind }, index) => index > record && kind === 'flush') + 1;
  return [
    { after: record, lost: [], why: 'before the record' },
    { after: flushed, lost: [], why: 'after its flush' },
    { after: entries.length, lost: [], why: 'after all' },
  ];
}

/** Boots a disk from its own boot loader and says which version came up: by the kernel words and the root that it has. */
async function bootOf(disk: string, index: number): Promise<string> {
  const name = `cut${index}`;
  await overlayDisk(lab.diskOf(name), disk);
  const { directory, network } = lab;
  const disks = [lab.diskOf(name)];
  await using machine = await Machine.start({ name, directory, network, number: 60 + index, disks, fromDisk: true });
  const entry = await machine.serial.expect(/Imprint: starting [ab]-[0-9a-f]{12}/, 3 * minute);
  await machine.serial.expect(/login:/, 6 * minute);
  machine.serial.type('root');
  await machine.serial.expect(/assword:/, minute);
  machine.serial.type('imprint');
  await machine.serial.expect(/root@cut02/, 2 * minute);
  machine.serial.type('echo "VERSION=$(cat /etc/imprint-version 2>/dev/null || echo v1)="');
  const said = await machine.serial.expect(/VERSION=v[0-9]=/, minute);
  const version = `web:${said.slice(9, 10)}`;
  expect(entry.includes('starting a-') ? 'web:1' : 'web:2', 'kernel and root are of one version').toBe(version);
  return version;
}
