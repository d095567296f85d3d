import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readImagerTrust } from '../../src/agent/imager-trust.ts';
import { imageSign } from '../../src/contract/operations/images.ts';
import { imageRenew, trustChange, trustSign } from '../../src/contract/operations/trust.ts';
import { type Clock, systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { catFile } from '../../src/operations/cat-file.ts';
import { checkWholeStore } from '../../src/operations/check-store.ts';
import { checkoutImage } from '../../src/operations/checkout-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { listVersions, showVersion } from '../../src/operations/list-versions.ts';
import { silentLog } from '../../src/operations/log.ts';
import { repairWholeStore } from '../../src/operations/repair-store.ts';
import { resolveInstallable } from '../../src/operations/resolve-installable.ts';
import { changeTrust } from '../../src/operations/trust/change-trust.ts';
import { createKey } from '../../src/operations/trust/create-key.ts';
import { pinTrust } from '../../src/operations/trust/pin-trust.ts';
import { renewVersion } from '../../src/operations/trust/renew-version.ts';
import { showTrust } from '../../src/operations/trust/show-trust.ts';
import { signTrust } from '../../src/operations/trust/sign-trust.ts';
import { signVersion } from '../../src/operations/trust/sign-version.ts';
import { trustForImager } from '../../src/operations/trust/trust-for-imager.ts';
import { checkTrust } from '../../src/store/check-trust.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { createGuard } from '../../src/store/version-guard.ts';
import { serveDirectory } from '../contract/store-fixture.ts';

/**
 * One server and the machines that read from it, from the first key to the day on which three people and minisign share the work. Each step
 * builds on the one before.
 */
describe('trust', { timeout: 60_000 }, () => {
  let scratch: string;
  let tree: string;
  let server: Context;
  let mirror: Awaited<ReturnType<typeof serveDirectory>>;
  let reader: Context;
  let now = Date.now();
  const clock: Clock = { ...systemClock, now: () => now };
  const contexts: Context[] = [];
  const warnings: string[] = [];
  let outs = 0;

  const place = (name: string, more: { store?: string; trust?: string } = {}): Context => {
    const warn = (message: string) => void warnings.push(message);
    const context = createContext({ data: join(scratch, name), log: silentLog, clock, warn, ...more });
    contexts.push(context);
    return context;
  };
  const capture = async (content: string, more: object = {}) => {
    await writeFile(join(tree, 'file'), content);
    return captureImage(server, { source: tree, name: 'web', ...more }, Task.silent());
  };
  const checkout = async (context: Context, reference: string) => {
    outs += 1;
    const directory = join(scratch, `out${outs}`);
    await checkoutImage(context, { reference, directory }, Task.silent());
    return readFile(join(directory, 'file'), 'utf8');
  };
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => 'ok',
      (error) => error.code,
    );
  const change = (input: object) => changeTrust(server, trustChange.input.parse(input));
  const sign = (input: object, context = server) => signTrust(context, trustSign.input.parse(input));
  /** Whether an imager with these files in it would install `web:1` from a store. */
  const askImager = async (files: Record<string, string>, url: string) => {
    const directory = at('imager');
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
    }
    const trust = await readImagerTrust(directory);
    if (trust === undefined) throw new Error('it was given a document');
    const store = await openStore(url);
    await createGuard({ ...trust, clock }).check(await store.find('web:1'), 'use', store);
  };
  const at = (name: string) => join(scratch, name);

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'imprint-trust-'));
    tree = at('tree');
    await mkdir(tree);
    server = place('server');
    await capture('one');
    mirror = await serveDirectory(at('server/store'));
    reader = place('reader', { store: mirror.url });
  });
  afterAll(async () => {
    for (const context of contexts) await context[Symbol.asyncDispose]();
    await mirror[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  it('begins with the server’s key: who does not know it reads nothing over HTTP', async () => {
    expect(await checkout(server, 'web')).toBe('one');
    expect(await refusal(checkout(reader, 'web'))).toBe('trust-missing');
    expect(await refusal(checkout(place('careless', { store: mirror.url, trust: 'none' }), 'web'))).toBe('ok');
    await pinTrust(reader, { file: at('server/keys/server.pub'), dryRun: true });
    expect(await refusal(checkout(reader, 'web'))).toBe('trust-missing');
    await pinTrust(reader, { file: at('server/keys/server.pub'), dryRun: false });
    reader = place('reader', { store: mirror.url });
    expect(await checkout(reader, 'web')).toBe('one');
  });

  it('warns of what is not signed in a store of its own, and refuses it everywhere else', async () => {
    await capture('unsigned');
    await rm(at('server/store/images/web/2.json.minisig'));
    expect(await checkout(server, 'web:2')).toBe('unsigned');
    expect(warnings.at(-1)).toContain('web:2 is not signed');
    expect(await refusal(checkout(reader, 'web:2'))).toBe('signature-missing');
    expect(await refusal(resolveInstallable(server, 'web:2'))).toBe('signature-missing');
    const listing = await signVersion(server, imageSign.input.parse({ reference: 'web:2' }));
    expect(listing.signedBy).toBe((await server.key()).signer.publicKey.id);
    expect(await checkout(reader, 'web:2')).toBe('unsigned');
  });

  it('hands over to people: two of three, one of whom uses minisign', async () => {
    for (const name of ['anna', 'ben', 'release']) await createKey({ path: at(name) });
    expect(await refusal(createKey({ path: at('anna') }))).toBe('key-exists');
    const made = spawnSync('minisign', ['-G', '-W', '-p', at('carl.pub'), '-s', at('carl.minisign')], { input: '\n' });
    expect(made.status, made.stderr.toString()).toBe(0);
    const serverKey = (await server.key()).signer.publicKey.id;
    const wanted = {
      addRoot: ['anna', 'ben', 'carl'].map((name) => at(`${name}.pub`)),
      removeRoot: [serverKey],
      rootThreshold: 2,
      addRelease: [at('release.pub')],
      releaseThreshold: 2,
      expires: '1y',
    };
    expect((await change({ ...wanted, dryRun: true })).published).toBe(false);
    expect((await showTrust(server)).pending).toBeUndefined();
    expect(await refusal(change({ ...wanted, removeRoot: ['0123456789ABCDEF'] }))).toBe('input-invalid');
    expect(await refusal(change({ rootThreshold: 2 }))).toBe('input-invalid');
    expect(await refusal(change({ ...wanted, keys: [at('release.key')] }))).toBe('input-invalid');
    const first = await change(wanted);
    expect(first).toMatchObject({ published: false, pending: { signedBy: [serverKey] } });
    expect(first.pending.missing).toEqual(['0 of the 2 signatures that it needs by the root keys of document 1']);
    // Until then all is as it was.
    expect(await checkout(reader, 'web:1')).toBe('one');

    // Anna signs a copy, somewhere that knows nothing of the server.
    await cp(first.pending.path, at('copy.json'));
    const anna = await sign({ file: at('copy.json'), keys: [at('anna.key')] }, place('anna-place'));
    expect(anna.published).toBe(false);
    expect((await sign({ signatures: [at('copy.json.minisig')] })).published).toBe(false);
    expect(await refusal(sign({ keys: [at('release.key')] }))).toBe('input-invalid');
    // Carl signs with minisign; what he signed instead is not taken.
    const minisign = (file: string, output: string) =>
      spawnSync('minisign', ['-S', '-W', '-s', at('carl.minisign'), '-m', file, '-x', output], { input: '\n' });
    await writeFile(at('other.json'), '{}');
    expect(minisign(at('other.json'), at('other.minisig')).status).toBe(0);
    expect(await refusal(sign({ signatures: [at('other.minisig')] }))).toBe('signature-wrong');
    expect(minisign(first.pending.path, at('carl.minisig')).status).toBe(0);
    expect(await sign({ signatures: [at('carl.minisig')], dryRun: true })).toMatchObject({ published: false });
    expect(await sign({ signatures: [at('carl.minisig')] })).toMatchObject({
      published: true,
      pending: { missing: [] },
    });
    const shown = await showTrust(server);
    expect(shown).toMatchObject({ current: { version: 1, root: { threshold: 2 }, release: { threshold: 2 } } });
    expect(shown.pending).toBeUndefined();
    expect((await checkWholeStore(server, Task.silent())).defects).toEqual([]);
  });

  it('from then on wants two signatures of a version, of which minisign may make one', async () => {
    expect(await refusal(checkout(reader, 'web:1'))).toBe('signatures-few');
    expect(await refusal(resolveInstallable(server, 'web:1'))).toBe('signatures-few');
    expect(
      await refusal(signVersion(server, imageSign.input.parse({ reference: 'web:1', keys: [at('anna.key')] }))),
    ).toBe('input-invalid');
    const both = { reference: 'web:1', keys: [at('release.key')] };
    expect((await signVersion(server, imageSign.input.parse(both))).signers).toHaveLength(2);
    expect(await checkout(reader, 'web:1')).toBe('one');
    expect((await showTrust(reader)).current?.version).toBe(1);
    const signer = (await resolveInstallable(server, 'web:1')).recordSignature;
    expect(signer.split('\n')).toHaveLength(9);
    expect(Object.keys(await trustForImager(server))).toEqual([
      'pinned',
      expect.stringMatching(/^[0-9a-f]{16}\/seen\/web\.json$/),
    ]);
  });

  it('withdraws, and what was withdrawn does not come back from an old mirror', async () => {
    await cp(at('server/store'), at('old-store'), { recursive: true });
    // Every key in DATA/keys that is a release key signs.
    await cp(at('release.key'), at('server/keys/release.key'));
    const captured = await capture('three', { expires: '30d' });
    expect(captured).toMatchObject({ number: 3, signed: true });
    const renewed = await renewVersion(
      server,
      imageRenew.input.parse({ reference: 'web:3', floor: 3, expires: '30d', message: 'the hole is mended' }),
      Task.silent(),
    );
    expect(renewed).toMatchObject({ number: 4, renewed: 'web:3', record: { floor: 3, digest: captured.digest } });
    await using old = await serveDirectory(at('old-store'));
    // One that has seen it, one that saw the other mirror alone.
    const fooled = place('reader', { store: old.url });
    expect(await checkout(fooled, 'web:1')).toBe('one');
    expect(await checkout(reader, 'web')).toBe('three');
    expect(await refusal(checkout(fooled, 'web:1'))).toBe('version-withdrawn');
    expect(await refusal(checkout(reader, 'web:1'))).toBe('version-withdrawn');
    // An imager that is made now knows it, too, whatever store it is sent to.
    expect(await refusal(resolveInstallable(server, 'web:1'))).toBe('version-withdrawn');
    expect(await refusal(askImager(await trustForImager(server), old.url))).toBe('version-withdrawn');
    expect(await checkout(reader, 'web:3')).toBe('three');
    // It can still be looked at, and its content comes back under a new number.
    const parts = catFile(reader, { reference: 'web:1', path: 'file' }, Task.silent());
    expect(Buffer.concat(await Array.fromAsync(parts)).toString()).toBe('one');
    const back = await renewVersion(server, imageRenew.input.parse({ reference: 'web:1' }), Task.silent());
    const { versions } = await listVersions(server, { image: 'web' });
    expect(versions.filter(({ withdrawn }) => withdrawn).map(({ record }) => record.number)).toEqual([1, 2]);
    expect(await showVersion(server, { reference: 'web:2' })).toMatchObject({ withdrawn: true });
    expect(back.record).toMatchObject({ number: 5, floor: 3, message: expect.stringContaining('as web:1') });
    expect(await checkout(reader, 'web')).toBe('one');
    expect(await refusal(capture('x', { floor: 9 }))).toBe('input-invalid');
    expect(await refusal(capture('x', { expires: '2020-01-01' }))).toBe('input-invalid');
  });

  it('refuses what has expired, until it is renewed', async () => {
    const until = { reference: 'web:5', expires: '2d' };
    await renewVersion(server, imageRenew.input.parse(until), Task.silent());
    now += 3 * 86_400_000;
    expect(await checkout(reader, 'web:5')).toBe('one');
    expect(await refusal(checkout(reader, 'web:6'))).toBe('version-expired');
    await renewVersion(server, imageRenew.input.parse({ reference: 'web:6', expires: '2d' }), Task.silent());
    expect(await checkout(reader, 'web:6')).toBe('one');
  });

  it('refuses all when its document has expired, until its root keys sign the next', async () => {
    now += 366 * 86_400_000;
    expect(await refusal(checkout(reader, 'web:5'))).toBe('trust-expired');
    const serverKey = (await server.key()).signer.publicKey.id;
    const next = await change({ removeRelease: [serverKey], releaseThreshold: 1, keys: [at('ben.key')] });
    expect(next).toMatchObject({ published: false, pending: { document: { version: 2 } } });
    // As long as the one before was good for.
    expect(Date.parse(next.pending.document.expires ?? '') - now).toBeGreaterThan(364 * 86_400_000);
    // Away from the server any key may sign, for it may be one of the document before; at the server it shows.
    await cp(next.pending.path, at('away.json'));
    const away = await sign({ file: at('away.json'), keys: [at('release.key')] }, place('anna-place'));
    expect(away.pending.signedBy).toHaveLength(1);
    expect(await refusal(sign({ signatures: [at('away.json.minisig')] }))).toBe('signature-wrong');
    expect((await sign({ keys: [at('anna.key')] })).published).toBe(true);
    expect(await checkout(reader, 'web:5')).toBe('one');
    expect((await showTrust(reader)).current?.version).toBe(2);
    // A mirror that goes back before it has no say.
    await using old = await serveDirectory(at('old-store'));
    expect(await refusal(checkout(place('reader', { store: old.url }), 'web:2'))).toBe('signature-wrong');
    expect((await checkWholeStore(server, Task.silent())).defects).toEqual([]);
  });

  it('finds every damage to its documents', async () => {
    const store = await DirectoryStore.open(at('server/store'));
    const { publicKey } = (await server.key()).signer;
    for (const name of ['1.json', '1.json.minisig', '2.json', '2.json.minisig']) {
      const path = at(`server/store/trust/${name}`);
      const good = await readFile(path);
      for (let place = 0; place < good.length; place += 23) {
        const bad = Buffer.from(good);
        bad[place] = (bad[place] ?? 0) ^ 1;
        await writeFile(path, bad);
        const defects = await Array.fromAsync(checkTrust(store, [publicKey]));
        expect(defects.length, `${name} at ${place}`).toBeGreaterThan(0);
      }
      await rm(path);
      // Of the last one nobody knows that it was there, but who has seen it.
      const found = (await Array.fromAsync(checkTrust(store, [publicKey]))).length;
      expect(found, `${name} is missing`).toBe(name === '2.json' ? 0 : 1);
      await writeFile(path, good);
    }
    expect((await checkWholeStore(server, Task.silent())).defects).toEqual([]);
  });

  it('gets lost documents back from a copy of the store, and none that its keys did not sign', async () => {
    await cp(at('server/store'), at('copy'), { recursive: true });
    const foreign = place('foreign');
    await captureImage(foreign, { source: tree, name: 'web' }, Task.silent());
    await changeTrust(foreign, trustChange.input.parse({ expires: '1y' }));
    await writeFile(at('server/store/trust/1.json'), '{}');
    await rm(at('server/store/trust/2.json.minisig'));
    const repair = async (from: string) => (await repairWholeStore(server, [at(from)], Task.silent())).defects;
    expect((await repair('foreign/store')).some(({ kind }) => kind === 'trust')).toBe(true);
    expect(await repair('copy')).toEqual([]);
    expect(await readFile(at('server/store/trust/1.json'))).toEqual(await readFile(at('copy/trust/1.json')));
    expect(await checkout(reader, 'web:5')).toBe('one');
  });
});
