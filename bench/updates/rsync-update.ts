import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Background } from '../background.ts';
import type { DebianTrees } from '../debian-trees.ts';
import { copyToDisk, mountEmptyExt4 } from '../empty-ext4.ts';
import { quoted, type Workshop } from '../workshop.ts';
import { type MeasuredClient, medianClient, ports, type Update } from './update.ts';

/** rsync -z against a daemon, onto a copy of the old tree. */
export async function rsyncUpdate(workshop: Workshop, trees: DebianTrees): Promise<Update> {
  const directory = workshop.empty('rsync');
  const configuration = join(directory, 'rsyncd.conf');
  const lines = ['use chroot = no', `port = ${ports.rsync}`, 'address = 127.0.0.1', 'uid = 0', 'gid = 0'];
  writeFileSync(configuration, `${lines.join('\n')}\n[after]\npath = ${trees.after}\nread only = yes\n`);
  const words = ['--daemon', '--no-detach', `--config=${configuration}`];
  await using server = await Background.start('rsync', words, ports.rsync);
  const statistics = join(directory, 'statistics');
  const clients: MeasuredClient[] = [];
  for (let number = 0; number < workshop.runs; number += 1) {
    using slot = mountEmptyExt4(workshop);
    const target = join(slot.directory, 'tree');
    workshop.run(copyToDisk(trees.before, target));
    const before = server.cpu();
    const client = workshop.measure(
      'rsync -z: update',
      `rsync -aHAXz --numeric-ids --delete --stats rsync://127.0.0.1:${ports.rsync}/after/ ${quoted(`${target}/`)} > ${quoted(statistics)}`,
    );
    // The daemon's child for this machine counts once it has ended.
    await new Promise((resolve) => setTimeout(resolve, 500));
    clients.push({ client, server: server.cpu() - before });
  }
  const text = readFileSync(statistics, 'utf8');
  const number = (label: string) => Number(new RegExp(`${label}: ([\\d,]+)`).exec(text)?.[1]?.replaceAll(',', ''));
  workshop.remove('rsync');
  const bytes = number('Total bytes sent') + number('Total bytes received');
  const { client, server: used } = medianClient(clients);
  workshop.say(`rsync -z: ${(bytes / 1e6).toFixed(1)} MB, server ${used.toFixed(2)} s CPU`);
  return { name: 'rsync -z', client, bytes, server: used, further: used, runs: clients.length };
}
