import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../foundation/clock.ts';
import { holdPackageLocks } from './package-locks.ts';
import { systemProcesses } from './run.ts';

test('package managers and updates in place keep each other out', async () => {
  const root = mkdtempSync(join(tmpdir(), 'imprint-packages-'));
  mkdirSync(join(root, 'var/lib/dpkg'), { recursive: true });
  const script = `
    import { open, openFlags, tryRecordLock } from '${resolve(import.meta.dirname, '../native/files.ts')}';
    const fd = open('${root}/var/lib/dpkg/lock-frontend', openFlags.readWrite | openFlags.create, 0o640);
    console.log(tryRecordLock(fd));
    setInterval(() => {}, 1000);`;
  const start = async () => {
    const child = systemProcesses.start(process.execPath, ['--input-type=module', '-e', script]);
    const [said] = await once(child.stdout, 'data');
    return { child, said: String(said).trim() };
  };
  const options = { clock: systemClock, signal: new AbortController().signal, waiting: () => {} };
  const first = await start();
  expect(first.said).toBe('true');
  await expect(holdPackageLocks(root, { ...options, patience: 0 })).rejects.toMatchObject({ code: 'update-running' });
  await first.child.stop();
  {
    using _held = await holdPackageLocks(root, { ...options, patience: 5000 });
    const second = await start();
    expect(second.said).toBe('false');
    await second.child.stop();
  }
  using _again = await holdPackageLocks(root, { ...options, patience: 0 });
  rmSync(root, { recursive: true });
});
