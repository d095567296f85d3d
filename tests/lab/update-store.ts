import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';
import { cached, locked } from './cache.ts';
import { goldenMachine } from './golden.ts';
import { type SabotageName, sabotages } from './sabotage.ts';

const minute = 60_000;
const checkout = join(import.meta.dirname, '../..');

/** What `web:2`, `web:3` and `web:4` change: a kernel of its own each, files that are new, changed and gone, modes and links. */
function edit(number: number): string {
  return [
    `printf 'v${number}' >> "$(ls /boot/vmlinuz-* | head -n 1)"`,
    `echo 'v${number}' > /etc/imprint-version`,
    `mkdir -p /usr/share/imprint-test`,
    `for i in $(seq 40); do seq $((i * ${number} * 50)) > /usr/share/imprint-test/file-$i; done`,
    `echo '<h1>v${number}</h1>' > /var/www/html/version.html`,
    `chmod ${number % 2 === 0 ? '600' : '644'} /usr/share/imprint-test/file-1`,
    `ln -sfn v${number} /usr/share/imprint-test/link`,
    `rm -f /usr/share/imprint-test/file-${number + 30}`,
  ].join('\n');
}

/** Tags by which the versions are known: `web:good2`, `web:brokenInit`, … `web:trixie` is another release of the distribution. */
export const goodTags = ['good1', 'good2', 'good3', 'good4'] as const;

/**
 * A data directory of `imprint` whose store holds all that the tests of updates need of `web`: 1 to 4, which are good; one for each sabotage, made
 * from 2; and Debian 13. Made at the first call (some three minutes of CPU) and cached; to be copied, not to be changed.
 */
export async function updateStore(): Promise<string> {
  const golden = await goldenMachine();
  const trixie = await goldenMachine({ suite: 'trixie', initramfs: 'initramfs-tools' });
  const scripts = Object.entries(sabotages).map(([name, { script }]) => `${name}: ${script}`);
  const recipe = [await readFile(import.meta.filename, 'utf8'), ...scripts];
  return locked('update-store', () =>
    cached('update-store', [...recipe, golden.disk, trixie.disk], async (directory) => {
      const imprint = async (...args: string[]) => {
        await systemProcesses.run(join(checkout, 'imprint'), args, {
          env: { IMPRINT_DATA: directory },
          timeout: 10 * minute,
        });
      };
      const change = (tag: string, base: string, script: string) =>
        imprint('edit', base, '--tag', tag, '--message', tag, '--', 'sh', '-ec', script);
      await imprint('capture', golden.disk, '--name', 'web', '--tag', 'good1');
      for (const number of [2, 3, 4]) await change(`good${number}`, `web:good${number - 1}`, edit(number));
      for (const name of Object.keys(sabotages) as SabotageName[]) {
        await change(name, 'web:good2', sabotages[name].script);
      }
      await imprint('capture', trixie.disk, '--name', 'web', '--tag', 'trixie');
    }),
  );
}

/** Copies the store into the data directory of a laboratory, where its `imprint` finds it. */
export async function takeUpdateStore(data: string): Promise<void> {
  const options = { timeout: 5 * minute };
  await systemProcesses.run('cp', ['-a', '--reflink=auto', `${await updateStore()}/.`, data], options);
}

/** Writes versions of the store as plain trees, `DIRECTORY/good2`: what a root is held against. */
export async function checkOut(data: string, tags: readonly string[], directory: string): Promise<void> {
  for (const tag of tags) {
    const args = ['image', 'checkout', `web:${tag}`, join(directory, tag)];
    await systemProcesses.run(join(checkout, 'imprint'), args, { env: { IMPRINT_DATA: data }, timeout: 10 * minute });
  }
}
