import { createHash, generateKeyPairSync } from 'node:crypto';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { createSigner } from '../../src/image/signature.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { commitFiles } from '../contract/store-fixture.ts';

/** Changes a store in every way there is, under `trace-files.ts`; says what is done, and must outlast a power failure. */
const done = (globalThis as { imprintDone?: (what: string) => void }).imprintDone ?? (() => {});
const [directory = ''] = process.argv.slice(2);
const signer = createSigner(generateKeyPairSync('ed25519').privateKey);
const store = await DirectoryStore.open(directory, { create: true, signer });

function blob(name: string, length: number): Buffer {
  const block = createHash('sha512').update(name).digest();
  return Buffer.concat(
    Array.from({ length: Math.ceil(length / 64) }, (_, index) =>
      createHash('sha512').update(block).update(String(index)).digest(),
    ),
  );
}

async function commit(files: Record<string, Buffer>, tags: string[] = []): Promise<void> {
  const { record } = await commitFiles(store, 'web', files, tags);
  done(`+${record.number}`);
}

const page = blob('page', 2000);
await commit({ page, a: blob('a', 9000), b: blob('b', 9000) }, ['stable']);
await commit({ page, a: blob('a', 9000) });
{
  await using transaction = await store.begin('test', Task.silent());
  await transaction.writeHints((await store.find('web')).record.digest as Digest, Buffer.from('hints'));
}
await commit({ page, c: blob('c', 9000) }, ['stable', 'tested']);
await store.setTag('web:2', 'stable');
await store.sign('web:2');
done('-1');
await store.remove('web:1');
done('--1');
await store.collect({ grace: 0 }, Task.silent());
await commit({ page, d: blob('d', 9000), a: blob('a', 9000) });
await store.removeTag('web', 'tested');
done('-2');
done('-3');
await store.remove(['web:2', 'web:3'], { grace: 3_600_000 });
done('--2');
done('--3');
// Takes up again what was about to go.
await commit({ page, c: blob('c', 9000) });
await store.collect({ grace: 0 }, Task.silent());
await store.collect({ grace: 0 }, Task.silent());
await store.close();
