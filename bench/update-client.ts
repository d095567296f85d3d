import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, rawPath } from '../src/foundation/brand.ts';
import { Task } from '../src/foundation/task.ts';
import { fetchUpdate } from '../src/operations/update/fetch-update.ts';
import { openStore } from '../src/store/open-store.ts';
import { convergeTree } from '../src/tree/converge-tree.ts';

/**
 * What a machine does of an update, without the boot loader: `update-client.ts URL FROM TO MANIFEST ROOT TARGET WORK`. ROOT holds the version FROM and runs;
 * TARGET, another slot with FROM, becomes TO. What was transferred is written to WORK/transferred.json.
 */

const [url = '', from = '', to = '', manifestFile = '', root = '', target = '', work = ''] = process.argv.slice(2);
const store = await openStore(url);
const version = await store.resolve(to);
const place = join(work, 'place');
const digest = from as Digest;
const opened = { ...store.traffic };
await Task.run(
  'update',
  () => {},
  async (task) => {
    await using content = await fetchUpdate({ store, version, base: { digest, manifestFile, root }, place, task });
    const { transferred } = content;
    const bytes = transferred.bytes + opened.bytes;
    writeFileSync(
      join(work, 'transferred.json'),
      JSON.stringify({ bytes, requests: transferred.requests + opened.requests }),
    );
    if (target !== '') await converge(content, task);
  },
);
rmSync(place, { recursive: true, force: true });
await store.close();

async function converge(content: Awaited<ReturnType<typeof fetchUpdate>>, task: Task): Promise<void> {
  const { VerifiedManifest } = await import('../src/store/manifest-reader.ts');
  const { readFileSync } = await import('node:fs');
  const before = {
    digest,
    entries: () => new VerifiedManifest(readFileSync(manifestFile), digest, manifestFile).entries(),
  };
  await convergeTree({
    target: rawPath(target),
    from: before,
    to: content,
    task,
  });
}
