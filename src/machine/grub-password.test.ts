import { expect, it } from 'vitest';
import { grubPassword } from './grub-password.ts';

it('makes of a password what grub-mkpasswd-pbkdf2 makes of it', () => {
  const salt = Buffer.from('00112233445566778899AABBCCDDEEFF'.repeat(4), 'hex');
  const text = grubPassword('secret', salt);
  expect(text).toMatch(/^grub\.pbkdf2\.sha512\.10000\.(00112233445566778899AABBCCDDEEFF){4}\.[0-9A-F]{128}$/);
  expect(grubPassword('other', salt)).not.toBe(text);
});
