import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import type { EditInput, EditOutput } from '../../src/contract/operations/edits.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { buildImage } from '../../src/operations/build/build-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { editImage } from '../../src/operations/edit/edit-image.ts';
import { silentLog } from '../../src/operations/log.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { locked } from '../lab/cache.ts';

/** A package with a service that is started when it is installed, and an archive of that one package. */
const packageFiles: Readonly<Record<string, string>> = {
  'DEBIAN/control':
    'Package: imprint-demo\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: a service\n',
  'DEBIAN/postinst': '#!/bin/sh\nset -e\nupdate-rc.d imprint-demo defaults\ninvoke-rc.d imprint-demo start\n',
  'etc/init.d/imprint-demo': [
    '#!/bin/sh',
    '### BEGIN INIT INFO',
    '# Provides: imprint-demo',
    '# Required-Start: $local_fs',
    '# Required-Stop: $local_fs',
    '# Default-Start: 2 3 4 5',
    '# Default-Stop: 0 1 6',
    '### END INIT INFO',
    'touch /srv/started',
    '',
  ].join('\n'),
};

async function makeArchive(directory: string): Promise<void> {
  const tree = join(directory, 'tree');
  for (const [path, text] of Object.entries(packageFiles)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
  const archive = join(directory, 'archive');
  await mkdir(archive);
  const file = join(archive, 'imprint-demo.deb');
  await systemProcesses.run('dpkg-deb', ['--root-owner-group', '--build', tree, file], { timeout: 60_000 });
  const bytes = await readFile(file);
  const hash = createHash('sha256').update(bytes).digest('hex');
  const lines = `Filename: ./imprint-demo.deb\nSize: ${bytes.length}\nSHA256: ${hash}\n`;
  await writeFile(join(archive, 'Packages'), `${packageFiles['DEBIAN/control']}${lines}`);
}

const recipe = `
name: demo
base: { suite: bookworm, variant: apt }
packages: [imprint-demo]
files:
  - { path: /srv/archive, source: archive, early: true }
  - path: /etc/apt/sources.list.d/demo.list
    content: "deb [trusted=yes] file:/srv/archive ./\\n"
    early: true
`;

async function edit(context: Context, reference: string, line: string): Promise<EditOutput> {
  const input: EditInput = { reference, command: ['sh', '-ec', line], keep: false };
  return await editImage(context, input, {
    streams: ['ignore', 'ignore', 2],
    environment: {},
    interactive: false,
    signal: new AbortController().signal,
    step: (name, work) => Task.run(name, () => {}, work),
    attend: (work) => work(),
    say: () => {},
  });
}

async function pathsOf(context: Context, reference: string): Promise<Set<string>> {
  const store = await context.store();
  const { digest } = (await store.resolve(reference)).record;
  const found = new Set<string>();
  for await (const entries of store.entries(digest as Digest)) for (const { path } of entries) found.add(path);
  return found;
}

it('builds a Debian, the same twice; its package manager works in an edit, and no service starts', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'imprint-debian-'));
  try {
    await makeArchive(scratch);
    const file = join(scratch, 'demo.yaml');
    await writeFile(file, recipe);
    await using context = createContext({ data: join(scratch, 'data'), log: silentLog });
    const said: string[] = [];
    const build = () =>
      locked('debian-build', () =>
        Task.run(
          'build',
          ({ message }) => void said.push(message),
          (task) =>
            buildImage(context, { recipe: file, keep: false }, { environment: process.env, say: () => {} }, task),
        ),
      );
    const first = await build().catch((error) => {
      throw new Error(`${error.message}\n${said.slice(-30).join('\n')}`);
    });
    expect(first).toMatchObject({ outcome: 'committed', reference: 'demo:1' });
    const built = await pathsOf(context, 'demo:1');
    expect(built.has('etc/init.d/imprint-demo')).toBe(true);
    expect(built.has('etc/rc2.d/S01imprint-demo')).toBe(true);
    for (const left of ['srv/started', 'usr/sbin/policy-rc.d', 'etc/resolv.conf', 'var/log/dpkg.log'])
      expect([left, built.has(left)]).toEqual([left, false]);

    expect(await build()).toMatchObject({ outcome: 'unchanged', reference: 'demo:1', digest: first.digest });

    // Without Debian's own archive: the machine need not reach it.
    const only = '-o Dir::Etc::sourcelist=/dev/null';
    const edited = await edit(
      context,
      'demo',
      `apt-get ${only} update; apt-get -y purge imprint-demo; apt-get ${only} -y install imprint-demo; dpkg --audit; echo more > /etc/motd`,
    );
    expect(edited).toMatchObject({ outcome: 'committed', reference: 'demo:2' });
    const after = await pathsOf(context, 'demo:2');
    expect(after.has('etc/rc2.d/S01imprint-demo')).toBe(true);
    for (const left of ['srv/started', 'usr/sbin/policy-rc.d', 'etc/resolv.conf'])
      expect([left, after.has(left)]).toEqual([left, false]);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
