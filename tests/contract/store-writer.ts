import { randomBytes } from 'node:crypto';
import { Task } from '../../src/foundation/task.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { addPack, commitFiles } from './store-fixture.ts';

/**
 * A process to be killed. With `pack` it adds a pack, says which chunk is in it, and waits in the middle of its transaction;
 * with `commit` it commits, tags and removes versions without end, saying the number of each that is done.
 */
const [directory = '', work] = process.argv.slice(2);
const store = await DirectoryStore.open(directory);
if (work === 'pack') {
  const transaction = await store.begin('a writer that is killed', Task.silent());
  const { chunks } = await addPack(transaction, [randomBytes(100)]);
  process.send?.(Buffer.from(chunks[0]?.hash ?? []).toString('hex'));
  setInterval(() => {}, 1000);
} else {
  for (;;) {
    const { record } = await commitFiles(store, 'web', { noise: randomBytes(100), same: Buffer.from('same') }, [
      'newest',
    ]);
    process.send?.(record.number);
    if (record.number % 3 === 0) await store.remove(`web:${record.number - 1}`);
  }
}
