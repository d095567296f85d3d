import { describe, expect, it } from 'vitest';
import { rawPath } from '../foundation/brand.ts';
import { pathAreas } from './own-paths.ts';

describe('whose a path is', () => {
  const area = pathAreas(['/opt/data', '!/root/.bashrc']);
  const table: [string, string][] = [
    ['etc/hostname', 'own'],
    ['etc/ssh/ssh_host_ed25519_key', 'own'],
    ['etc/ssh/sshd_config', 'configuration'],
    ['etc/passwd', 'configuration'],
    ['etc/ld.so.cache', 'program'],
    ['etc/alternatives/vi', 'program'],
    ['usr/bin/ls', 'program'],
    ['home', 'program'],
    ['home/ann/x', 'own'],
    ['var/lib', 'program'],
    ['var/lib/postgresql/15/main/base', 'own'],
    ['var/lib/dpkg/status', 'program'],
    ['var/lib/dpkg/info/bash.list', 'program'],
    ['var/lib/apt/lists/x', 'own'],
    ['var/lib/apt/extended_states', 'program'],
    ['var/lib/imprint/manifest', 'imprint'],
    ['etc/systemd/system/multi-user.target.wants/imprint-agent.service', 'imprint'],
    ['opt/data/x', 'own'],
    ['root/.profile', 'own'],
    ['root/.bashrc', 'program'],
    ['boot/vmlinuz-6.1.0-1-amd64', 'program'],
    ['boot/grub/grub.cfg', 'own'],
  ];
  for (const [path, expected] of table)
    it(`${path}: ${expected}`, () => expect(area(rawPath(path), false)).toBe(expected));
});
