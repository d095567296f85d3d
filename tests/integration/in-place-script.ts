import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { InPlaceDirection } from '../../src/machine/in-place-journal.ts';

const script = resolve(import.meta.dirname, '../../boot/in-place/in-place.sh');

export interface ScriptRun {
  /** Its exit status; −1: it was cut. */
  status: number;
  said: string;
}

/**
 * Brings a root to one of its versions as the initramfs does. `commands`: begun before it is killed, by a count in the file `counter`. What it says
 * comes back.
 */
export function runInPlaceScript(
  root: string,
  id: string,
  direction: InPlaceDirection,
  { shell = ['dash'], commands = 100_000, counter }: { shell?: string[]; commands?: number; counter: string },
): ScriptRun {
  writeFileSync(counter, `${commands}\n`);
  const text = `
    tick() { read -r left < ${counter}; echo $((left - 1)) > ${counter}; [ "$left" -gt 0 ] || kill -KILL $$; }
    for name in chmod cp mv rm rmdir sync; do eval "$name() { tick; /usr/bin/$name \\"\\$@\\"; }"; done
    mount() { :; }
    . ${script}
    imprint_in_place ${direction} "$1" ${id}`;
  const [command = '', ...more] = shell;
  const run = spawnSync(command, [...more, '-c', text, 'sh', root], { encoding: 'latin1', timeout: 120_000 });
  return { status: run.status ?? -1, said: `${run.stdout}${run.stderr}` };
}

/** Names of plain files in the journal of an update; none where its root is not on its way. */
export function namesOnTheWay(root: string, id: string): string[] {
  const place = join(root, '.imprint/in-place', id);
  if (!/ing/.test(readFileSync(join(place, 'state'), 'latin1'))) return [];
  const lines = readFileSync(join(place, 'journal'), 'latin1').split('\n');
  return lines.filter((line) => /^f [\w/.-]+$/.test(line)).map((line) => line.slice(2));
}
