import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firstBootScriptPaths, renderFirstBootRunner } from '../../src/machine/first-boot-scripts.ts';
import { readFirstBoot } from '../../src/operations/update/first-boot-state.ts';
import { systemProcesses } from '../../src/system/run.ts';

const { directory, runner, scripts, unit, wanted, log } = firstBootScriptPaths;

/** What runs scripts at a first boot, by itself: each call of `boot` is a boot. */
describe('scripts of the first boot', () => {
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'imprint first boot '));
    for (const path of [scripts, 'etc/systemd/system/multi-user.target.wants', 'ran']) {
      await mkdir(join(root, path), { recursive: true });
    }
    await write(runner, renderFirstBootRunner(root));
    await write(`${directory}/variables.txt`, `HOSTNAME='web01'\nROOT='${root}'\n`);
    for (const path of [unit, wanted]) await write(path, '');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const write = (path: string, text: string) => writeFile(join(root, path), text);
  /** No file may be executed by itself: /var is mounted noexec where people are careful. */
  const add = (name: string, text: string) => write(`${scripts}/${name}`, `#!/bin/sh -u\n${text}\n`);
  const boot = async () => systemProcesses.run('sh', [join(root, runner)], { accept: [0, 1], env: { LC_ALL: 'C' } });
  const ran = () => readFile(join(root, 'ran/list'), 'utf8').catch(() => '');

  it('run once each in their order, and take themselves away', async () => {
    await add('20-b.sh', 'echo "b $HOSTNAME $IMPRINT_PHASE" >> "$ROOT/ran/list"');
    await add(
      '10-a',
      'echo a >> "$ROOT/ran/list"; echo "says *"; sleep 600 > /dev/null 2>&1 & echo $! > "$ROOT/ran/pid"',
    );
    await add('9-c', 'echo c >> "$ROOT/ran/list"');
    expect(await readFirstBoot(root)).toEqual({ state: 'running' });
    const { status, stdout } = await boot();
    process.kill(Number(await readFile(join(root, 'ran/pid'), 'utf8')));
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'says *\n' });
    expect(await ran()).toBe('a\nb web01 first-boot\nc\n');
    expect(await readFirstBoot(root)).toBeUndefined();
    expect(await readdir(join(root, directory))).toEqual(['finished', 'log']);
    expect(await readdir(join(root, 'etc/systemd/system/multi-user.target.wants'))).toEqual([]);
    expect(await readFile(join(root, log), 'utf8')).toMatch(
      /^10-a \(20.*Z\)\nsays \*\n20-b\.sh \(.*\)\n9-c \(.*\)\ndone \(.*\)\n$/,
    );
  });

  it('stop where one fails, say so, and go on there at the next boot', async () => {
    await add('10-a', 'echo a >> "$ROOT/ran/list"');
    await add(
      '20-b',
      'echo b >> "$ROOT/ran/list"; seq 1 30; echo "no such realm" >&2; [ -e "$ROOT/ran/realm" ] || exit 5',
    );
    await add('30-c', 'echo c >> "$ROOT/ran/list"');
    expect((await boot()).status).toBe(1);
    expect(await ran()).toBe('a\nb\n');
    const state = await readFirstBoot(root);
    expect(state).toMatchObject({ state: 'failed', script: '20-b', status: 5 });
    expect(state?.log).toMatch(/^12\n[\d\n]*30\nno such realm$/);
    expect((await boot()).status).toBe(1);
    expect(await ran()).toBe('a\nb\nb\n');
    await write('ran/realm', '');
    expect((await boot()).status).toBe(0);
    expect(await ran()).toBe('a\nb\nb\nb\nc\n');
  });

  it('begins anew with the one that a power cut ended, and with no other', async () => {
    await add('10-a', 'echo a >> "$ROOT/ran/list"');
    // The power goes in the middle of it, the first time.
    await add(
      '20-b',
      'echo b >> "$ROOT/ran/list"; [ -e "$ROOT/ran/cut" ] || { touch "$ROOT/ran/cut"; kill -9 "$PPID"; exit 0; }',
    );
    // timeout stands between the script and what runs it.
    await write(runner, (await readFile(join(root, runner), 'utf8')).replace('command -v timeout', 'false'));
    await boot().catch(() => undefined);
    expect(await ran()).toBe('a\nb\n');
    expect(await readFirstBoot(root)).toEqual({ state: 'running', script: '20-b' });
    expect((await boot()).status).toBe(0);
    expect(await ran()).toBe('a\nb\nb\n');
    expect(await readdir(join(root, directory))).toEqual(['finished', 'log']);
  });

  it('is over when the last one is, however much is still there', async () => {
    await add('10-a', 'echo a >> "$ROOT/ran/list"');
    await write(`${directory}/finished`, '');
    expect(await readFirstBoot(root)).toBeUndefined();
    await rm(join(root, directory, 'variables.txt'));
    await mkdir(join(root, directory, 'done'));
    await write(`${directory}/done/10-a`, '');
    expect((await boot()).status).toBe(0);
    expect(await ran()).toBe('');
    expect(await readdir(join(root, directory))).toEqual(['finished']);
  });
});
