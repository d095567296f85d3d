import { describe, expect, it } from 'vitest';
import { rawPath } from '../foundation/brand.ts';
import { keptMountGlobs, pathAreas } from './own-paths.ts';

it('leaves what lies in kept partitions to the machine', () => {
  const mount = (point: string, kept?: true) => ({
    uuid: 'u',
    mount: point,
    type: 'ext4',
    options: 'defaults',
    ...(kept && { kept }),
  });
  const globs = keptMountGlobs({ data: [mount('/data', true), mount('/opt'), mount('/a[b]', true)] });
  expect(globs).toEqual(['/data/*', '/a\\[b]/*']);
  const area = pathAreas(globs);
  const of = (path: string) => area(rawPath(path), false);
  expect(['data', 'data/x/y', 'opt/x', 'a[b]/x', 'ab/x'].map(of)).toEqual([
    'program',
    'own',
    'program',
    'own',
    'program',
  ]);
});

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
