import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { buildImager } from '../../src/operations/build-imager.ts';
import { createContext } from '../../src/operations/context.ts';
import { silentLog } from '../../src/operations/log.ts';
import { cacheDirectory } from '../lab/cache.ts';
import { makeDisk } from '../lab/disk.ts';
import { Machine } from '../lab/machine.ts';
import { LabNetwork } from '../lab/network.ts';

const minute = 60_000;
const input = { suite: 'bookworm', refresh: false };

test('the imager has all that it needs, with 1 GiB of memory', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-imager-'));
  try {
    await using context = createContext({ data: directory, log: silentLog });
    const build = () => buildImager(context, input, Task.silent(), { cache: cacheDirectory() });
    const first = await build();
    const size = first.files.find((file) => file.path === 'initrd.img')?.bytes ?? 0;
    expect(size).toBeLessThan(88 * 1024 * 1024);
    // The same inputs give the same bytes.
    expect((await build()).files).toEqual(first.files);

    await using network = await LabNetwork.make();
    const disk = join(directory, 'disk.qcow2');
    await makeDisk(disk, '1G');
    const commandLine = 'console=ttyS0,115200 loglevel=4 no_timer_check mitigations=off nokaslr imprint.selftest';
    await using machine = await Machine.start({
      ...{ name: 'selftest', directory, network, number: 30, memory: 1024, disks: [disk] },
      kernel: { kernel: join(first.directory, 'vmlinuz'), initrd: join(first.directory, 'initrd.img'), commandLine },
    });
    const said = await machine.serial.expect(/IMAGER-SELFTEST [^\n]*\n/, 3 * minute);
    expect(said).toContain('IMAGER-SELFTEST ok');
    expect(said).toContain('vda=selftest-0');
    // It switches itself off.
    await machine.ended;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
