import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { tryLock } from '../../native/files.ts';

/** Changes whenever somebody begins or ends to change the version. */
export const updateLockPath = '/run/imprint/update.lock';

/** Keeps everyone else from changing this machine's version until it is disposed of, or this process ends. Errors: `update-running`. */
export async function lockUpdate(what: string, path: string = updateLockPath): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a+', 0o600).catch((error) => {
    throw toImprintError(error);
  });
  try {
    if (!tryLock(file.fd, 'exclusive')) {
      const other = Buffer.alloc(300);
      const { bytesRead } = await file.read(other, 0, other.length, 0);
      const said = other.toString('utf8', 0, bytesRead).trim();
      throw new ImprintError('update-running', { what: said === '' ? 'by another process' : said });
    }
    await file.truncate(0);
    await file.appendFile(`${what}, process ${process.pid}\n`);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      await file.truncate(0).catch(() => {});
      await file.close();
    },
  };
}
