import { access, mkdtemp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';
import { withFileLock } from '../lab/cache.ts';
import { goldenAddress, Laboratory } from '../lab/laboratory.ts';

/**
 * A laboratory whose server runs with the golden machine's image `web:1` in its store. The capture is done once in a run of
 * `./test`, which names a directory for it in `IMPRINT_TEST_RUN`.
 */
export async function laboratoryWithImage(): Promise<Laboratory> {
  const lab = await laboratoryWithVersion();
  try {
    await lab.buildImager();
    await lab.startServer();
    return lab;
  } catch (error) {
    await failed(lab, error);
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** The same without a server or an imager: `web:1` and nothing else. */
export async function laboratoryWithVersion(): Promise<Laboratory> {
  const lab = await Laboratory.open();
  try {
    await provideImage(lab);
    return lab;
  } catch (error) {
    await failed(lab, error);
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** Says where the logs of a failed test are kept; for `catch`, or vitest's `onTestFailed`. */
export async function failed(lab: Laboratory, error?: unknown): Promise<void> {
  console.error(
    `${error instanceof Error ? `${error.message}\n` : ''}the consoles’ logs are kept in ${await lab.keepLogs()}`,
  );
}

async function provideImage(lab: Laboratory): Promise<void> {
  const run = process.env.IMPRINT_TEST_RUN;
  if (!run) return captureGolden(lab);
  const shared = join(run, 'captured');
  await withFileLock(`${shared}.lock`, async () => {
    if (await exists(shared)) return copyTree(shared, lab.data);
    await captureGolden(lab);
    const copy = await mkdtemp(`${shared}-`);
    await copyTree(lab.data, copy);
    await rename(copy, shared);
  });
}

async function captureGolden(lab: Laboratory): Promise<void> {
  const golden = await lab.startGolden();
  await lab.imprintJson(['capture', `ssh://root@${goldenAddress}`, '--name', 'web', ...lab.captureOptions()]);
  await golden.cutPower();
  await lab.stopSiteDhcp();
}

async function copyTree(from: string, to: string): Promise<void> {
  await systemProcesses.run('cp', ['-a', '--reflink=auto', `${from}/.`, to], { timeout: 120_000 });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
