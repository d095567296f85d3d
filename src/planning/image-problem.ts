import type { VersionRecord } from '../contract/image.ts';
import type { MachineFacts } from '../contract/machine.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { ImageContent } from '../machine/image-content.ts';

export interface FitQuestion {
  machine: string;
  /** `uname -m` of the machine. */
  architecture: string;
  /** That starts the machine; absent: it was started already, and starts such an image again. */
  firmware?: MachineFacts['firmware'];
  reference: string;
  record: VersionRecord;
  /** Absent: not looked at. */
  content?: ImageContent | undefined;
}

/** Why an image would not run on a machine, undefined where it will: `image-unfit` with what to do about it. */
export function imageProblem(question: FitQuestion): ImprintError | undefined {
  const { machine, architecture, firmware, reference, record, content } = question;
  const unfit = (problem: string, hint: string) =>
    new ImprintError('image-unfit', { reference, machine, problem, hint });
  const wanted = record.source.architecture;
  if (architecture !== 'x86_64') {
    return unfit(
      `the machine is ${architecture}, and disks are made bootable only for x86_64 so far`,
      'Use a machine with an x86_64 processor.',
    );
  }
  if (wanted !== undefined && wanted !== architecture && !/^i[3-6]86$/.test(wanted)) {
    return unfit(
      `it was captured on ${wanted}, and the machine is ${architecture}`,
      `Capture a golden machine of ${architecture}.`,
    );
  }
  // GRUB hands over in the mode of the firmware, and a 32-bit kernel has no way in from there.
  if (firmware === 'uefi' && wanted !== undefined && wanted !== 'x86_64') {
    return unfit(
      `its kernel is a 32-bit one (${wanted}), and the machine’s firmware, UEFI, starts only 64-bit ones`,
      'Install a 64-bit kernel on the golden machine (Debian: linux-image-amd64) and start it, then capture again; or switch the machine to BIOS (CSM).',
    );
  }
  if (content === undefined) return undefined;
  if (content.kernels.length === 0) {
    return unfit(
      'it holds no kernel (no /boot/vmlinuz-…)',
      'Install a kernel on the golden machine (Debian: linux-image-amd64), see that /boot is mounted, and capture it again.',
    );
  }
  if (content.init === undefined) {
    return unfit(
      'it holds no init (no /sbin/init)',
      'Install an init system on the golden machine (Debian: systemd-sysv) and capture it again.',
    );
  }
  return undefined;
}
