import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findDebianMirror } from '../../src/system/debian-mirror.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { cached, locked } from '../lab/cache.ts';
import { sabotages } from '../lab/sabotage.ts';
import { updateStore } from '../lab/update-store.ts';

const minute = 60_000;
const checkout = join(import.meta.dirname, '../..');

/** What init is to a version that starts, and then does nothing. */
const sleepingSystemd = [
  'rm /usr/lib/systemd/systemd',
  "printf '#!/bin/sh\\necho SABOTAGE systemd sleeps >/dev/console\\nwhile :; do sleep 1000; done\\n' > /usr/lib/systemd/systemd",
  'chmod 755 /usr/lib/systemd/systemd',
].join('\n');

/** A script that adds the program kexec: what apt fetches by this computer's own settings. */
export async function withKexec(suite: string): Promise<string> {
  const { aptOptions } = await findDebianMirror(suite);
  const settings = aptOptions.map((option) => `${option.slice('--aptopt='.length)};`);
  return [
    `printf '%s\\n' ${settings.map((line) => `'${line}'`).join(' ')} > /tmp/apt.conf`,
    'export APT_CONFIG=/tmp/apt.conf',
    'apt-get -q update',
    'apt-get -q -y --no-install-recommends install kexec-tools',
    'rm -rf /tmp/apt.conf /var/lib/apt/lists/*',
  ].join('\n');
}

/**
 * A store as that of `updateStore` with versions of Debian 13, whose systemd restarts softly and whose kernel has a driver for QEMU's watchdog: `quick`, which has
 * kexec; and made from it `otherKernel`, `otherSystemd`, `sleepingSystemd` and `kernelHangs13`. Cached.
 */
export async function restartStore(): Promise<string> {
  const before = await updateStore();
  const recipe = await readFile(import.meta.filename, 'utf8');
  return locked('restart-store', () =>
    cached('restart-store', [recipe, before], async (directory) => {
      await systemProcesses.run('cp', ['-a', '--reflink=auto', `${before}/.`, directory], { timeout: 5 * minute });
      const change = (tag: string, base: string, script: string) =>
        systemProcesses.run(
          join(checkout, 'imprint'),
          ['edit', `web:${base}`, '--tag', tag, '--message', tag, '--', 'sh', '-ec', script],
          { env: { IMPRINT_DATA: directory }, timeout: 10 * minute },
        );
      await change('quick', 'trixie', await withKexec('trixie'));
      await change('otherKernel', 'quick', 'for file in /boot/vmlinuz-*; do printf 2 >> "$file"; done');
      await change('otherSystemd', 'quick', 'printf 2 >> /usr/lib/systemd/systemd');
      await change('sleepingSystemd', 'quick', sleepingSystemd);
      await change('kernelHangs13', 'quick', sabotages.kernelHangs.script);
    }),
  );
}
