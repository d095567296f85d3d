import { access, constants, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Processes } from './run.ts';

/**
 * Whether QEMU works with KVM here, and is worth it. `/dev/kvm` may exist and yet hang, or run 16-bit code a thousand times slower than QEMU’s own emulation
 * (nested virtualisation without its hardware: `kvm_pvm` takes each such instruction apart in software), where a BIOS needs a minute to its menu and loses keys.
 * So it counts only if a trial machine counts down and ends itself within seconds.
 */
export async function kvmWorks(processes: Processes): Promise<boolean> {
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return usable && (await kvmAnswers(processes));
}

async function kvmAnswers(processes: Processes): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-kvm-'));
  try {
    const firmware = join(directory, 'trial.rom');
    await writeFile(firmware, trialFirmware());
    const result = await processes
      // It hangs where nothing but SIGKILL ends it.
      .run(
        'timeout',
        ['-s', 'KILL', '8', 'qemu-system-x86_64', '-accel', 'kvm', '-cpu', 'host', ...trialArguments(firmware)],
        {
          accept: [33],
          timeout: 10_000,
        },
      )
      .catch(() => undefined);
    return result?.status === 33;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Of a machine that does nothing but its firmware, which ends QEMU with status 33. */
export function trialArguments(firmware: string): string[] {
  const exit = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=0x01'];
  return ['-m', '16', '-nodefaults', '-display', 'none', '-bios', firmware, ...exit];
}

/** How far it counts: thirty milliseconds of a processor, less than a second of QEMU’s emulation, minutes of KVM’s. */
const rounds = 2 ** 26;

/**
 * 64 KiB of firmware whose reset vector counts down and then writes to the port that ends QEMU: `mov ecx,ROUNDS; dec ecx; jnz -4; mov al,0x10; out 0xf4,al; hlt`.
 */
export function trialFirmware(count = rounds): Uint8Array {
  const rom = new Uint8Array(65_536).fill(0x90);
  const start = rom.length - 16;
  rom.set([0x66, 0xb9, 0, 0, 0, 0, 0x66, 0x49, 0x75, 0xfc, 0xb0, 0x10, 0xe6, 0xf4, 0xf4], start);
  new DataView(rom.buffer).setUint32(start + 2, count, true);
  return rom;
}
