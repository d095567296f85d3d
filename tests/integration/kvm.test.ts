import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { trialArguments, trialFirmware } from '../../src/system/kvm.ts';
import { systemProcesses } from '../../src/system/run.ts';

it('tries KVM with a firmware that counts down as far as it is told, and then ends QEMU', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-kvm-test-'));
  const ends = async (seconds: number, count?: number) => {
    const firmware = join(directory, 'trial.rom');
    await writeFile(firmware, trialFirmware(count));
    const tried = ['-s', 'KILL', String(seconds), 'qemu-system-x86_64', '-accel', 'tcg', ...trialArguments(firmware)];
    // Of `timeout` nothing is left to tell by which end it came.
    const run = systemProcesses.run('timeout', tried, { accept: [33], timeout: 60_000 });
    return run.then(
      () => true,
      () => false,
    );
  };
  try {
    // Under QEMU’s own emulation, which every computer has.
    expect(await ends(30)).toBe(true);
    // One less than nothing: 2^32 rounds, which no emulation counts in that time.
    expect(await ends(4, 0)).toBe(false);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
