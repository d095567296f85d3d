import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';
import { accelerator } from './accelerator.ts';

/** A kernel that is started straight away, with an initrd of several archives and raw disks (/dev/vda, …). */
export interface DirectBoot {
  /** For its files. */
  readonly directory: string;
  readonly kernel: string;
  /** Archives one after another, as a boot loader loads them. */
  readonly initrds: readonly (string | Uint8Array)[];
  readonly words: readonly string[];
  /** Disks that cannot be written to, before the others. */
  readonly sources?: readonly string[];
  /** Written to by the machine, without a cache that a cut would lose. */
  readonly disks: readonly string[];
  /** Milliseconds until its power is cut. */
  readonly timeout: number;
  /** Mebibytes; default: 512. */
  readonly memory?: number;
  /** Called with all that it said whenever it says more; once it returns true, its power is cut. */
  readonly heard?: (said: string) => boolean;
}

/** Runs a machine until it powers off or restarts, or its time is over; what it said on its console. */
export async function directBoot(boot: DirectBoot): Promise<string> {
  const { directory, timeout, sources = [] } = boot;
  const initrd = join(directory, 'initrd');
  const pieces = await Promise.all(
    boot.initrds.map(async (piece) => (typeof piece === 'string' ? await readFile(piece) : piece)),
  );
  await writeFile(initrd, Buffer.concat(pieces));
  const accel = await accelerator();
  const words = ['console=ttyS0,115200', 'no_timer_check', 'mitigations=off', 'nokaslr', ...boot.words];
  const args = [
    ...['-accel', accel, '-cpu', accel === 'kvm' ? 'host' : 'qemu64', '-smp', '1', '-m', String(boot.memory ?? 512)],
    ...['-machine', 'q35,graphics=off', '-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio'],
    ...['-no-reboot', '-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    ...['-kernel', boot.kernel, '-initrd', initrd, '-append', words.join(' ')],
    ...[...sources, ...boot.disks].flatMap((disk, index) => [
      ...['-drive', `if=none,id=disk${index},file=${disk},format=raw${index < sources.length ? ',readonly=on' : ''}`],
      ...['-device', `virtio-blk-pci,drive=disk${index}`],
    ]),
  ];
  const running = systemProcesses.start('qemu-system-x86_64', args);
  let text = '';
  running.stdout.on('data', (piece: Uint8Array) => {
    text += Buffer.from(piece).toString('latin1');
    if (boot.heard?.(text) === true) cutPower(running.pid);
  });
  running.stderr.resume();
  const timer = setTimeout(() => void running.stop(), timeout);
  try {
    await running.ended.catch(() => {});
  } finally {
    clearTimeout(timer);
    await rm(initrd, { force: true });
  }
  return text.replaceAll('\r', '');
}

function cutPower(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}
