import { open } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';
import { writing } from './durable.ts';

/**
 * The store's exclusive lock: `flock` on a file that stays. The kernel lets go of it when its process ends, however that
 * happens; the text in it only says for people whose it is. Throws `store-locked` at once where another holds it.
 */
export async function lockStore(path: string, store: string, owner: string): Promise<AsyncDisposable> {
  const { tryLock } = await import('../native/files.ts');
  const file = await writing(path, () => open(path, 'a+', 0o644));
  try {
    if (!tryLock(file.fd, 'exclusive')) {
      const other = Buffer.alloc(500);
      const { bytesRead } = await file.read(other, 0, other.length, 0);
      throw new ImprintError('store-locked', {
        store,
        owner: other.toString('utf8', 0, bytesRead).trim() || 'unknown',
      });
    }
    // On a full disk there is a lock without a name: removing something must be possible just then.
    await file
      .truncate(0)
      .then(() => file.appendFile(`${owner}, process ${process.pid}, since ${new Date().toISOString()}\n`))
      .catch(() => {});
  } catch (error) {
    await file.close();
    throw error;
  }
  return { [Symbol.asyncDispose]: () => file.close() };
}
