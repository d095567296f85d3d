import { access } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';
import { packageOf } from './tool-packages.ts';

/** UEFI firmware for QEMU: its code, and the template of its variables. */
export interface UefiFirmware {
  code: string;
  variables: string;
}

/** Where distributions put OVMF: Debian and Ubuntu (new, old), Fedora, Arch, openSUSE. */
const places: readonly UefiFirmware[] = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/OVMF/OVMF_CODE.fd', variables: '/usr/share/OVMF/OVMF_VARS.fd' },
  { code: '/usr/share/edk2/ovmf/OVMF_CODE.fd', variables: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
  { code: '/usr/share/edk2/x64/OVMF_CODE.4m.fd', variables: '/usr/share/edk2/x64/OVMF_VARS.4m.fd' },
  { code: '/usr/share/qemu/ovmf-x86_64-code.bin', variables: '/usr/share/qemu/ovmf-x86_64-vars.bin' },
];

/** The first that is there. Errors: `tool-missing`. */
export async function findUefiFirmware(): Promise<UefiFirmware> {
  for (const place of places) {
    const there = await Promise.all([access(place.code), access(place.variables)]).then(
      () => true,
      () => false,
    );
    if (there) return place;
  }
  throw new ImprintError('tool-missing', { tool: 'OVMF', package: packageOf('OVMF') });
}
