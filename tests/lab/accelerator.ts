import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';
import { cacheDirectory } from './cache.ts';

export type Accelerator = 'kvm' | 'tcg';

/**
 * What QEMU can run on here. `/dev/kvm` may exist and yet hang (nested virtualisation without its hardware), so it is
 * used only if a trial machine, which does nothing but print one character from its firmware and end, answers within
 * seconds. The answer is kept per kernel; `IMPRINT_LAB_ACCELERATOR` overrides it.
 */
export async function accelerator(): Promise<Accelerator> {
  const wanted = process.env.IMPRINT_LAB_ACCELERATOR;
  if (wanted === 'kvm' || wanted === 'tcg') return wanted;
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!usable) return 'tcg';
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const file = join(cacheDirectory(), 'lab', 'accelerator.json');
  const key = `${release()} ${bootId}`;
  const known = await readFile(file, 'utf8').then(JSON.parse, () => undefined);
  if (known?.key === key) return known.accelerator;
  const found: Accelerator = (await kvmAnswers()) ? 'kvm' : 'tcg';
  await mkdir(join(cacheDirectory(), 'lab'), { recursive: true });
  await writeFile(file, JSON.stringify({ key, accelerator: found }));
  return found;
}

/** A boot sector's worth of work under KVM: write to the port that makes `isa-debug-exit` end QEMU with status 33. */
async function kvmAnswers(): Promise<boolean> {
  const firmware = join(cacheDirectory(), 'lab', 'kvm-trial.rom');
  await mkdir(join(cacheDirectory(), 'lab'), { recursive: true });
  await writeFile(firmware, trialFirmware());
  const args = ['-accel', 'kvm', '-cpu', 'host', '-m', '16', '-nodefaults', '-display', 'none', '-bios', firmware];
  const result = await systemProcesses
    .run(
      'timeout',
      ['-s', 'KILL', '8', 'qemu-system-x86_64', ...args, '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x01'],
      { accept: [33], timeout: 10_000 },
    )
    .catch(() => undefined);
  return result?.status === 33;
}

/** 64 KiB of firmware whose reset vector runs `mov al,0x10; out 0xf4,al; hlt`. */
function trialFirmware(): Uint8Array {
  const rom = new Uint8Array(65_536).fill(0x90);
  rom.set([0xb0, 0x10, 0xe6, 0xf4, 0xf4], 65_536 - 16);
  return rom;
}
