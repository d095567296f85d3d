import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Processes } from './run.ts';

/**
 * Whether QEMU works with KVM here. `/dev/kvm` may exist and yet hang (nested virtualisation without its hardware), so it counts only if a trial machine, which
 * does nothing but end itself, does so within seconds.
 */
export async function kvmWorks(processes: Processes): Promise<boolean> {
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return usable && (await kvmAnswers(processes));
}

/** A boot sector's worth of work under KVM: write to the port that makes `isa-debug-exit` end QEMU with status 33. */
async function kvmAnswers(processes: Processes): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-kvm-'));
  try {
    const firmware = join(directory, 'trial.rom');
    await writeFile(firmware, trialFirmware());
    const args = ['-accel', 'kvm', '-cpu', 'host', '-m', '16', '-nodefaults', '-display', 'none', '-bios', firmware];
    const exit = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=0x01'];
    const result = await processes
      // It hangs where nothing but SIGKILL ends it.
      .run('timeout', ['-s', 'KILL', '8', 'qemu-system-x86_64', ...args, ...exit], { accept: [33], timeout: 10_000 })
      .catch(() => undefined);
    return result?.status === 33;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** 64 KiB of firmware whose reset vector runs `mov al,0x10; out 0xf4,al; hlt`. */
function trialFirmware(): Uint8Array {
  const rom = new Uint8Array(65_536).fill(0x90);
  rom.set([0xb0, 0x10, 0xe6, 0xf4, 0xf4], 65_536 - 16);
  return rom;
}
