import { hash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { setModifiedTime } from '../../src/native/attributes.ts';
import { fetchUpdate } from '../../src/operations/update/fetch-update.ts';
import { planFetch } from '../../src/operations/update/plan-fetch.ts';
import { HttpStore } from '../../src/store/http-store.ts';
import { bundlePath, manifestPath } from '../../src/store/layout.ts';
import { attributes, commitFiles } from '../contract/store-fixture.ts';
import { startServer } from './server-harness.ts';

const program = randomBytes(2_000_000);
const edited = Buffer.concat([program.subarray(0, 500_000), Buffer.from('edited'), program.subarray(500_100)]);

/** A server with two versions of `app`, and a machine that has the first. */
async function world() {
  const server = await startServer();
  const first = await commitFiles(server.store, 'app', { program });
  const version = await commitFiles(server.store, 'app', { program: edited, readme: Buffer.from('new') });
  const directory = await mkdtemp(join(tmpdir(), 'imprint-bundles-'));
  const root = join(directory, 'root');
  await mkdir(root);
  await writeFile(join(root, 'program'), program);
  setModifiedTime(rawPath(join(root, 'program')), attributes.mtime.seconds, attributes.mtime.nanoseconds);
  const digests = [first, version].map(({ record }) => record.digest as Digest) as [Digest, Digest];
  const base = { digest: digests[0], manifestFile: server.store.path(manifestPath(digests[0])), root };
  return {
    server,
    version,
    digests,
    base,
    directory,
    bundle: server.store.path(bundlePath(...digests)),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

test('the server makes a bundle when the first machine asks; the next one finds it', async () => {
  await using there = await world();
  const { base, version, digests, bundle } = there;
  for (const [index, made] of [false, true].entries()) {
    await using store = await HttpStore.open(`${there.server.url}/store`);
    expect(existsSync(bundle)).toBe(made);
    const place = join(there.directory, `place-${index}`);
    await using update = await fetchUpdate({ store, version, base, place, task: Task.silent() });
    expect(update.transferred.requests).toBe(2);
    expect(update.transferred.bytes).toBeLessThan(3000);
    const content = await update.content(hash('sha256', edited));
    expect(edited.equals(content)).toBe(true);
  }
  await using store = await HttpStore.open(`${there.server.url}/store`);
  const plan = await planFetch({ store, version, base, task: Task.silent() });
  expect(plan).toMatchObject({ bundle: 'ready', requests: 2 });
  expect(plan.bytes).toBeLessThan(3000);
  expect(digests[0]).toBe(base.digest);
});

test('it makes one at a time, once for all who ask, and none for versions that are not there', async () => {
  await using there = await world();
  const url = (from: Digest, to: Digest) => `${there.server.url}/store/${bundlePath(from, to)}`;
  const [from, to] = there.digests;
  const answers = await Promise.all(
    [url(from, to), url(to, from), url(from, to)].map((each) => fetch(each, { method: 'HEAD' })),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(answers[0]?.headers.get('etag')).toBe(answers[2]?.headers.get('etag'));
  const nowhere = `sha256:${'ab'.repeat(32)}` as Digest;
  for (const path of [url(from, from), url(nowhere, to), url(from, nowhere)])
    expect((await fetch(path, { method: 'HEAD' })).status).toBe(404);
  expect((await fetch(`${there.server.url}/store/bundles/lock`)).status).toBe(404);
});

test('a server that stops leaves no half of one', async () => {
  await using there = await world();
  const asking = fetch(`${there.server.url}/store/${bundlePath(...there.digests)}`, { method: 'HEAD' }).catch(
    () => undefined,
  );
  await there.server.stop();
  await asking;
  if (existsSync(there.bundle)) return;
  expect(existsSync(there.server.store.path('bundles/making.part'))).toBe(false);
});
