import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';

const script = join(import.meta.dirname, '../../boot/addition/object.sh');
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'imprint-object-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the object that the initramfs lays over a dropped image', () => {
  it('brings what was kept, and leaves the root as it is for those who are not root', async () => {
    const [root, host] = [join(directory, 'root'), join(directory, 'host')];
    const tree = join(host, 'data/imprint/object/latest/tree');
    await mkdir(join(root, 'etc'), { recursive: true, mode: 0o755 });
    await mkdir(join(tree, 'etc'), { recursive: true, mode: 0o755 });
    await writeFile(join(root, 'etc/hostname'), 'another\n');
    await writeFile(join(tree, 'etc/hostname'), 'web01\n');
    await writeFile(join(tree, '.hidden'), 'kept\n');
    await chmod(root, 0o755);
    await chmod(tree, 0o700);
    const words = [
      `. ${script}`,
      'mount() { :; }',
      'give_up() { echo "$1" >&2; exit 1; }',
      'here=$1/here word_host=4711 word_image=hn-root-new.img loop=/dev/null',
      'imprint_object "$1/root" "$1/host"',
    ];
    await systemProcesses.run('sh', ['-c', words.join('\n'), 'sh', directory], { timeout: 30_000 });
    expect(await readFile(join(root, 'etc/hostname'), 'utf8')).toBe('web01\n');
    expect(await readFile(join(root, '.hidden'), 'utf8')).toBe('kept\n');
    expect(await readFile(join(root, 'var/lib/imprint/object'), 'utf8')).toBe('4711 0\n');
    expect((await stat(root)).mode & 0o777).toBe(0o755);
  });
});
