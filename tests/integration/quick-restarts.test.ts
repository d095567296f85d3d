import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const boot = join(import.meta.dirname, '../../boot');
const directory = mkdtempSync(join(tmpdir(), 'imprint-quick-restarts-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What the boot addition leaves below `/run/systemd/system` for a root with these services of the old kind. */
function unitsFor(name: string, services: readonly string[]): (unit: string) => string | undefined {
  const here = join(directory, name);
  const root = join(here, 'root');
  const run = join(here, 'run');
  mkdirSync(join(root, 'etc/init.d'), { recursive: true });
  for (const service of services) writeFileSync(join(root, 'etc/init.d', service), '#!/bin/sh\n', { mode: 0o755 });
  cpSync(join(boot, 'addition'), here, { recursive: true });
  cpSync(join(boot, 'in-place/in-place.sh'), join(here, 'in-place.sh'));
  writeFileSync(join(here, 'cmdline'), 'imprint.slot=a-1 imprint.seq=3 imprint.boot=none imprint.kind=good ro\n');
  const env = { ...process.env, IMPRINT_HERE: here, IMPRINT_RUN: run, IMPRINT_CMDLINE: join(here, 'cmdline') };
  execFileSync('sh', [join(here, 'boot.sh'), 'root', root], { env, timeout: 20_000 });
  const units = join(run, 'systemd/system');
  expect(existsSync(units)).toBe(true);
  return (unit) => {
    try {
      return readlinkSync(join(units, unit));
    } catch {
      return undefined;
    }
  };
}

it('keeps kexec-tools from sending every restart past GRUB, where an image has it as a service', () => {
  const link = unitsFor('with', ['kexec', 'kexec-load', 'nginx']);
  expect(['kexec', 'kexec-load', 'nginx'].map((name) => link(`${name}.service`))).toEqual([
    '/dev/null',
    '/dev/null',
    undefined,
  ]);
  expect(unitsFor('without', ['nginx'])('kexec-load.service')).toBeUndefined();
});
