import { readFile } from 'node:fs/promises';
import { isSignedUnder, shimAuthorities } from '../machine/secure-boot.ts';

/** What the distribution of this machine signed for UEFI Secure Boot. */
export interface SignedBoot {
  /** Signed by the firmware's own authority. */
  shim: Buffer;
  /** The GRUB for removable media: looks for `/boot/grub/grub.cfg` where it was loaded from. */
  grub: Buffer;
  /** MokManager: lets a person have shim trust a further key. */
  mokManager?: Buffer;
  /** Whose signatures shim accepts. */
  authorities: string[];
}

const places = {
  shim: ['/usr/lib/shim/shimx64.efi.signed', '/usr/lib/shim/shimx64.efi.signed.latest'],
  grub: ['/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed'],
  mokManager: ['/usr/lib/shim/mmx64.efi.signed', '/usr/lib/shim/mmx64.efi'],
};

/** Shim and GRUB as the distribution signed them (of Debian and Ubuntu: the packages shim-signed and grub-efi-amd64-signed); undefined where they are not installed, or do not belong together. */
export async function findSignedBoot(): Promise<SignedBoot | undefined> {
  const shim = await firstOf(places.shim);
  const grub = await firstOf(places.grub);
  if (shim === undefined || grub === undefined) return undefined;
  const authorities = shimAuthorities(shim);
  if (!isSignedUnder(grub, authorities)) return undefined;
  const mokManager = await firstOf(places.mokManager);
  return { shim, grub, authorities, ...(mokManager && { mokManager }) };
}

async function firstOf(paths: readonly string[]): Promise<Buffer | undefined> {
  for (const path of paths) {
    const content = await readFile(path).catch(() => undefined);
    if (content !== undefined) return content;
  }
  return undefined;
}
