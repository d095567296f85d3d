import { randomBytes } from 'node:crypto';
import { Task } from '../../src/foundation/task.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { addPack } from './store-fixture.ts';

/** A process that adds a pack, says which chunk is in it, and then waits to be killed in the middle of its transaction. */
const store = await DirectoryStore.open(process.argv[2] ?? '');
const transaction = await store.begin('a writer that is killed', Task.silent());
const { chunks } = await addPack(transaction, [randomBytes(100)]);
process.send?.(Buffer.from(chunks[0]?.hash ?? []).toString('hex'));
setInterval(() => {}, 1000);
