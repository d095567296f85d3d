import { expect, it } from 'vitest';
import { rawPath } from '../foundation/brand.ts';
import { secretFinder } from './secrets.ts';

const finder = secretFinder();

it.each([
  ['etc/ssh/ssh_host_ed25519_key', 'remove'],
  ['etc/ssh/ssh_host_ed25519_key.pub', 'remove'],
  ['etc/machine-id', 'empty'],
  ['var/lib/dbus/machine-id', 'remove'],
  ['var/lib/systemd/random-seed', 'remove'],
  ['boot/efi/loader/random-seed', 'remove'],
  ['var/lib/systemd/credential.secret', 'remove'],
  ['var/lib/dhcp/dhclient.eth0.leases', 'remove'],
  ['etc/udev/rules.d/70-persistent-net.rules', 'remove'],
  ['etc/ssl/private/ssl-cert-snakeoil.key', 'remove'],
  ['var/lib/cloud/instances/i-1234', 'remove'],
  ['root/.bash_history', 'remove'],
  ['etc/krb5.keytab', 'remove'],
  ['etc/hostname', undefined],
  ['etc/ssh/sshd_config', undefined],
  ['etc/ssh/moduli', undefined],
  ['srv/etc/ssh/ssh_host_rsa_key', undefined],
  ['etc/ssl/certs/ca-certificates.crt', undefined],
] as const)('%s: %s', (path, action) => {
  expect(finder.find(rawPath(path), false, true)).toBe(action);
});

it('keeps a machine-id that is a symlink: what it points at is seen to by itself', () => {
  expect(finder.find(rawPath('var/lib/dbus/machine-id'), false, false)).toBeUndefined();
});

it('names what may be a secret and is kept', () => {
  expect(finder.isSuspect(rawPath('root/.ssh/id_ed25519'))).toBe(true);
  expect(finder.isSuspect(rawPath('root/.ssh/authorized_keys'))).toBe(false);
});
