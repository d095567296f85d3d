import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyCreateInput, keyAddInputSchema, keyCreateInputSchema } from '../../src/contract/operations/keys.ts';
import { toImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { addIsos, nameOnKey } from '../../src/operations/keys/add-isos.ts';
import { createKey } from '../../src/operations/keys/create-key.ts';
import { growKey } from '../../src/operations/keys/grow-key.ts';
import { listKey } from '../../src/operations/keys/list-key.ts';
import { removeIsos } from '../../src/operations/keys/remove-isos.ts';
import { silentLog } from '../../src/operations/log.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { loopDisk } from './loop-disk.ts';

const { run } = systemProcesses;
const mebibyte = 2 ** 20;
let work: string;
let context: Context;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'imprint-key-test-'));
  context = createContext({ data: join(work, 'data'), log: silentLog });
  await mkdir(join(work, 'isos'));
  await iso('live.iso', {
    'live/vmlinuz': 'k',
    'live/initrd.img': 'i',
    'live/filesystem.squashfs': randomBytes(9_000_000),
  });
  await iso('alpine.iso', { 'boot/modloop-lts': 'm', 'boot/vmlinuz-lts': 'k' });
});
afterAll(async () => {
  await context[Symbol.asyncDispose]();
  await rm(work, { recursive: true, force: true });
});

async function iso(name: string, files: Record<string, string | Buffer>): Promise<void> {
  const tree = await mkdtemp(join(work, 'tree-'));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(tree, path, '..'), { recursive: true });
    await writeFile(join(tree, path), content);
  }
  await run('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-V', name, '-o', join(work, 'isos', name), tree]);
}

const create = (name: string, more: Partial<KeyCreateInput> = {}) =>
  createKey(
    context,
    keyCreateInputSchema.parse({ target: join(work, name), size: 160 * mebibyte, ...more }),
    Task.silent(),
  );
const add = (key: string, isos: string[], more: object = {}) => {
  const paths = isos.map((each) => join(work, 'isos', each));
  return addIsos(context, keyAddInputSchema.parse({ key: join(work, key), isos: paths, ...more }), Task.silent());
};
const list = (key: string, verify = false) => listKey(context, { key: join(work, key), verify }, Task.silent());
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error) => toImprintError(error).code,
  );

/** The partition `isos` as a file of its own. */
async function isosOf(key: string): Promise<string> {
  const { stdout } = await run('sfdisk', ['--json', join(work, key)]);
  const { partitions } = JSON.parse(stdout).partitiontable as {
    partitions: { start: number; size: number; name: string }[];
  };
  const found = partitions.find(({ name }) => name === 'isos');
  const target = join(work, `${key}.isos`);
  const blocks = [`skip=${(found?.start ?? 0) / 2048}`, `count=${(found?.size ?? 0) / 2048}`];
  await run('dd', [`if=${join(work, key)}`, `of=${target}`, 'bs=1M', 'conv=sparse', ...blocks]);
  return target;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

describe('a key', () => {
  it('is the same image each time, with a menu that GRUB reads', async () => {
    const output = await create('one.img', { persistence: 16 * mebibyte });
    await create('two.img', { persistence: 16 * mebibyte });
    expect(await hashOf(join(work, 'two.img'))).toBe(await hashOf(join(work, 'one.img')));
    expect(output.room).toBeGreaterThan(90 * mebibyte);
    for (const name of ['grub.cfg', 'iso.cfg']) {
      const copy = join(work, name);
      await run('mcopy', ['-n', '-o', '-i', `${join(work, 'one.img')}@@2M`, `::/boot/grub/${name}`, copy]);
      await run('grub-script-check', [copy]);
    }
    const { stdout } = await run('sfdisk', ['--json', join(work, 'one.img')]);
    const names = (JSON.parse(stdout).partitiontable.partitions as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(['BIOS boot', 'Imprint key', 'isos', 'persistence']);
  });

  it('takes ISO files as they are, in a form that GRUB reads, and knows them again', async () => {
    await create('key.img');
    await writeFile(join(work, 'isos/SHA256SUMS'), `${await hashOf(join(work, 'isos/live.iso'))}  live.iso\n`);
    const { added } = await add('key.img', ['live.iso']);
    expect(added[0]).toMatchObject({
      name: 'live.iso',
      family: 'debian-live',
      secureBoot: false,
      proof: { checksum: 'SHA256SUMS' },
    });
    const partition = await isosOf('key.img');
    await run('e2fsck', ['-f', '-n', partition]);
    // GRUB's own code reads the same bytes as we do.
    const { stdout } = await run('grub-fstest', [partition, 'cmp', '/live.iso', join(work, 'isos/live.iso')]);
    expect(stdout).not.toContain('differ');
    expect((await list('key.img', true)).isos).toMatchObject([
      { name: 'live.iso', intact: true, firmware: ['bios', 'uefi'] },
    ]);
  });

  it('refuses what does not start, what is broken and what does not fit, before it writes', async () => {
    const before = await hashOf(join(work, 'key.img'));
    expect(await codeOf(add('key.img', ['alpine.iso']))).toBe('iso-unfit');
    await writeFile(join(work, 'isos/none.iso'), 'this is no ISO');
    expect(await codeOf(add('key.img', ['none.iso']))).toBe('iso-unfit');
    expect(await codeOf(add('key.img', ['live.iso']))).toBe('target-exists');
    await copyFile(join(work, 'isos/live.iso'), join(work, 'isos/bent.iso'));
    await writeFile(join(work, 'isos/bent.iso.sha256'), `${'0'.repeat(64)}\n`);
    expect(await codeOf(add('key.img', ['bent.iso']))).toBe('iso-corrupt');
    await iso('large.iso', { 'live/vmlinuz': 'k', 'live/filesystem.squashfs': randomBytes(140 * mebibyte) });
    expect(await codeOf(add('key.img', ['large.iso']))).toBe('key-full');
    expect(await codeOf(add('key.img', ['live.iso', 'live.iso'], { force: true }))).toBe('usage');
    expect(await codeOf(list('isos/live.iso'))).toBe('key-not-found');
    expect(await codeOf(removeIsos(context, { key: join(work, 'key.img'), isos: ['x.iso'] }, Task.silent()))).toBe(
      'iso-not-found',
    );
    expect(await hashOf(join(work, 'key.img'))).toBe(before);
  });

  it('believes the signatures of keys that it is given, and nobody else’s', async () => {
    const [one, other] = [join(work, 'one'), join(work, 'other')];
    for (const name of [one, other])
      execFileSync('minisign', ['-G', '-W', '-p', `${name}.pub`, '-s', `${name}.key`], { stdio: 'ignore' });
    const with_ = (key: string) => add('key.img', ['live.iso'], { force: true, trustedKeys: [`${key}.pub`] });
    await expect(with_(one)).rejects.toThrow(/no signature of it.* lies beside it \(SHA256SUMS\.gpg/);
    execFileSync('minisign', ['-S', '-s', `${one}.key`, '-m', join(work, 'isos/SHA256SUMS')], { stdio: 'ignore' });
    expect(await codeOf(with_(other))).toBe('iso-unsigned');
    await expect(with_(other)).rejects.toThrow(/SHA256SUMS\.minisig is by none of them/);
    expect((await with_(one)).added[0]?.proof?.signature).toBe(`${one}.pub`);
  });

  it('grows, and loses nothing by it', async () => {
    const grown = await growKey(context, { key: join(work, 'key.img'), size: 400 * mebibyte }, Task.silent());
    expect(grown.after - grown.before).toBe(240 * mebibyte);
    await run('e2fsck', ['-f', '-n', await isosOf('key.img')]);
    await run('sfdisk', ['--verify', join(work, 'key.img')]);
    await add('key.img', ['large.iso']);
    expect((await list('key.img', true)).isos.map(({ intact }) => intact)).toEqual([true, true]);
    const { removed } = await removeIsos(context, { key: join(work, 'key.img'), isos: ['large.iso'] }, Task.silent());
    expect(removed).toEqual(['large.iso']);
  });

  it('looks into what people copied there themselves', async () => {
    const key = join(work, 'key.img');
    const { stdout } = await run('sfdisk', ['--json', key]);
    const { partitions } = JSON.parse(stdout).partitiontable as { partitions: { start: number; name: string }[] };
    const offset = (partitions.find(({ name }) => name === 'isos')?.start ?? 0) * 512;
    const copies = { 'alpine.iso': 'alpine.iso', 'none.iso': 'none.iso', 'a "quoted" name.iso': 'alpine.iso' };
    for (const [name, file] of Object.entries(copies)) {
      const command = `write ${join(work, 'isos', file)} "${name.replaceAll('"', '""')}"`;
      await run('debugfs', ['-w', '-R', command, `${key}?offset=${offset}`]);
    }
    expect((await list('key.img')).isos).toMatchObject([
      { name: 'a "quoted" name.iso', family: 'alpine', firmware: [] },
      { name: 'alpine.iso', family: 'alpine', firmware: [] },
      { name: 'live.iso', family: 'debian-live' },
      { name: 'none.iso', firmware: [], refusal: 'It is no ISO file, or not a whole one.' },
    ]);
    await removeIsos(context, { key, isos: Object.keys(copies) }, Task.silent());
  });

  it('takes what starts an installer beside it, and takes it off again', async () => {
    await iso('netinst.iso', { 'install.amd/vmlinuz': 'k', 'install.amd/initrd.gz': 'i', '.disk/info': 'Debian' });
    expect(await codeOf(add('key.img', ['netinst.iso']))).toBe('iso-unfit');
    for (const ending of ['vmlinuz', 'initrd'])
      await writeFile(join(work, `isos/netinst.iso.${ending}`), `hd-media ${ending}`);
    const { added } = await add('key.img', ['netinst.iso']);
    expect(added[0]).toMatchObject({ family: 'debian-installer', beside: true, firmware: ['bios', 'uefi'] });
    const partition = await isosOf('key.img');
    const { stdout } = await run('grub-fstest', [partition, 'ls', '/']);
    expect(stdout.split(/\s+/)).toEqual(
      expect.arrayContaining(['netinst.iso', 'netinst.iso.vmlinuz', 'netinst.iso.initrd']),
    );
    await removeIsos(context, { key: join(work, 'key.img'), isos: ['netinst.iso'] }, Task.silent());
    expect((await run('grub-fstest', [await isosOf('key.img'), 'ls', '/'])).stdout).not.toContain('netinst');
  });

  it('notices a stick that forgets', async () => {
    await using file = await open(join(work, 'key.img'), 'r+');
    const image = await readFile(join(work, 'key.img'));
    const at = image.indexOf((await readFile(join(work, 'isos/live.iso'))).subarray(4_000_000, 4_000_064));
    await file.write(Buffer.from([image[at] === 0 ? 1 : 0]), 0, 1, at);
    expect((await list('key.img', true)).isos[0]?.intact).toBe(false);
  });

  it.skipIf(process.getuid?.() !== 0)('is made on a disk that can be pulled out, and on no other', async () => {
    await using disk = await loopDisk(200 * mebibyte);
    const output = await createKey(context, keyCreateInputSchema.parse({ target: disk.device }), Task.silent());
    expect(output).toMatchObject({ device: true, bytes: 200 * mebibyte });
    const again = await createKey(context, keyCreateInputSchema.parse({ target: disk.device }), Task.silent());
    expect(again.id).not.toBe(output.id);
    await addIsos(
      context,
      keyAddInputSchema.parse({ key: disk.device, isos: [join(work, 'isos/live.iso')] }),
      Task.silent(),
    );
    expect((await listKey(context, { key: disk.device, verify: true }, Task.silent())).isos[0]?.intact).toBe(true);
    expect(await codeOf(createKey(context, keyCreateInputSchema.parse({ target: '/dev/null' }), Task.silent()))).toBe(
      'device-refused',
    );
  });
});

it('gives files names that GRUB and kernels take as one word', () => {
  expect(['/a/b.iso', 'My Live (2).ISO', '-x', '.hidden.iso', 'ünï.iso'].map(nameOnKey)).toEqual([
    ...['b.iso', 'My_Live__2_.ISO', 'x.iso', 'hidden.iso', '_n_.iso'],
  ]);
});
