import { Buffer } from 'node:buffer';
import { pbkdf2Sync } from 'node:crypto';

const rounds = 10_000;
const length = 64;

/** A password as `password_pbkdf2` of GRUB wants it, and `grub-mkpasswd-pbkdf2` prints it. `salt`: 64 bytes by chance. */
export function grubPassword(password: string, salt: Uint8Array): string {
  const key = pbkdf2Sync(password, salt, rounds, length, 'sha512');
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').toUpperCase();
  return `grub.pbkdf2.sha512.${rounds}.${hex(salt)}.${hex(key)}`;
}
