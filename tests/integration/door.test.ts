import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { createContext } from '../../src/operations/context.ts';
import { silentLog } from '../../src/operations/log.ts';
import { prepareGolden, waitAtDoor } from '../../src/operations/prepare-golden.ts';
import { openDoor } from '../../src/system/door.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { canRunSshd, freePort } from './sshd.ts';

const launcher = join(import.meta.dirname, '../../imprint');
const able = await canRunSshd();

describe.skipIf(!able)('the one-time door of imprint prepare', () => {
  let work: string;
  let tree: string;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'imprint-door-test-'));
    tree = join(work, 'tree');
    await mkdir(tree);
    await writeFile(join(tree, 'file'), 'content');
  });
  afterAll(() => rm(work, { recursive: true, force: true }));

  it('lets one capture in, and nobody after it', async () => {
    await using context = createContext({ data: join(work, 'data'), log: silentLog });
    const port = await freePort();
    const input = { door: true, port, minutes: 1, address: '127.0.0.1', record: join(work, 'etc/golden.json') };
    await Task.run(
      'prepare',
      () => {},
      async (task) => {
        await using prepared = await prepareGolden(context, input, task);
        const { door, output } = prepared;
        if (door === undefined || output.door === undefined) throw new Error('no door');
        expect(output.consistency[0]).toMatchObject({ mountPoint: '/' });
        expect(output.door.command).toBe(
          `imprint capture ssh://root@127.0.0.1:${port} --door ${output.door.token} --name NAME`,
        );
        const waiting = waitAtDoor(door, input, task);
        const wrong = output.door.token.replace(/.{40}$/, 'A'.repeat(40));
        await expect(capture(port, wrong)).rejects.toMatchObject({ code: 'golden-unreachable' });
        await expect(capture(port, 'nonsense')).rejects.toMatchObject({ code: 'usage' });
        const made = await capture(port, output.door.token);
        expect(made.stats.files).toBe(1);
        await waiting;
        await expect(capture(port, output.door.token)).rejects.toMatchObject({ code: 'golden-unreachable' });
      },
    );
    expect(existsSync(input.record)).toBe(true);
    expect(doors()).toEqual([]);
  });

  it('closes when its time is over, and when whoever opened it is killed', async () => {
    const port = await freePort();
    const signal = new AbortController().signal;
    await using late = await openDoor({ processes: systemProcesses, port, seconds: 1, signal });
    expect(await late.used).toBeUndefined();
    await late.over;
    expect(doors()).toEqual([]);

    const words = ['prepare', '--no-record', '--address', '127.0.0.1', '--port', String(await freePort()), '--json'];
    const child: ChildProcess = spawn(launcher, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    expect(doors()).toHaveLength(1);
    child.kill('SIGKILL');
    for (let tries = 0; doors().length > 0 && tries < 100; tries += 1) await delay(100);
    expect(doors()).toEqual([]);
  });

  async function capture(port: number, door: string) {
    await using context = createContext({ data: join(work, 'data'), log: silentLog });
    const request = { source: `ssh://root@127.0.0.1:${port}${tree}`, name: 'through', door };
    return Task.run(
      'capture',
      () => {},
      (task) => captureImage(context, request, task),
    );
  }
});

function doors(): string[] {
  return existsSync('/run/imprint') ? readdirSync('/run/imprint').filter((name) => name.startsWith('door-')) : [];
}
