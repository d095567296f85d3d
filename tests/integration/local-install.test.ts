import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConsoleScreen } from '../../src/agent/console-screen.ts';
import { type LocalInstall, runLocalInstall } from '../../src/agent/local-install.ts';
import { findSettings, networkLines, readFoundSettings } from '../../src/agent/local-settings.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { parsePublicKey } from '../../src/image/signature.ts';
import { prepareRestore } from '../../src/operations/boot/restore-boot.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { silentLog } from '../../src/operations/log.ts';
import { openMediumStore } from '../../src/operations/media/medium-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { findCopyPlace } from '../../src/system/medium-copies.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const gibibyte = 1024 ** 3;

/** A file system with a label on a disk of its own. */
async function labelled(label: string): Promise<LoopDisk> {
  const place = await loopDisk(64 * 2 ** 20);
  await systemProcesses.run('mke2fs', ['-q', '-t', 'ext4', '-L', label, place.device]);
  return place;
}

/** A machine with a loop device for a disk, a store in a directory for the medium, and somebody at the console who says what `answers` has. */
describe.skipIf(process.getuid?.() !== 0)('an install by local.cfg', { timeout: 120_000 }, () => {
  let disk: LoopDisk;
  let context: Context;
  let console: string;

  beforeEach(async () => {
    disk = await loopDisk(3 * gibibyte);
    context = createContext({ data: join(disk.directory, 'data'), log: silentLog });
    await makeGoldenTree(join(disk.directory, 'golden'));
    await captureImage(context, { source: join(disk.directory, 'golden'), name: 'web' }, Task.silent());
    console = '';
  });
  afterEach(async () => {
    await context[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
  });

  async function run(settings: Partial<LocalInstall['settings']>, answers: string[], more: Partial<LocalInstall> = {}) {
    const end = new AbortController();
    const ended = (how: string) => async () => end.abort(how);
    const write = (piece: string) => {
      console += piece;
    };
    const local: LocalInstall = {
      settings: { image: 'web', hostName: 'web01', install: 'confirm', disk: disk.device, ...settings },
      source: 'local.cfg on /dev/sdb2 (IMPRINT)',
      stores: [join(disk.directory, 'data/store')],
      screen: new ConsoleScreen({ write, clock: systemClock }),
      // Nobody answers any more: the machine waits, and the test ends it.
      question: {
        answer: async () =>
          answers.shift() ?? (await ended('asked again')().then(() => Promise.reject(end.signal.reason))),
      },
      power: { reboot: ended('rebooted'), powerOff: ended('off') },
      clock: {
        ...systemClock,
        sleep: (time, signal) =>
          time >= 10_000 ? ended('waits')().then(() => signal?.throwIfAborted()) : systemClock.sleep(time, signal),
      },
      signal: end.signal,
      readFacts: async () => {
        const facts = await readMachineFacts(systemProcesses, [disk.device]);
        return {
          ...facts,
          uuid: 'a machine',
          interfaces: [{ name: 'eth0', mac: '52:54:00:00:00:01' }],
          firmware: 'bios',
          disks: facts.disks.filter(({ path }) => path === disk.device),
        };
      },
      installer: {
        key: parsePublicKey(await readFile(join(disk.directory, 'data/keys/server.pub'), 'utf8')),
        session: randomBytes(16).toString('hex'),
        processes: systemProcesses,
        clock: systemClock,
        target: join(disk.directory, 'target'),
        openStore: (url, signal) => openStore(url, { signal }),
        restore: (request) => restoreTree({ ...request, keepOnFailure: true }),
      },
      ...more,
    };
    const problem = await runLocalInstall(local).then(
      () => undefined,
      (reason) => reason,
    );
    return end.signal.aborted ? String(end.signal.reason) : `broke: ${problem}`;
  }

  const signatures = async () => (await systemProcesses.run('blkid', ['-p', disk.device], { accept: [0, 2] })).stdout;

  it('asks before it writes, and takes nothing but a yes for one', async () => {
    expect(await run({}, ['ja', 'no'])).toBe('asked again');
    expect(await signatures()).toBe('');
    expect(console).toContain('*  web01: THIS DISK WILL BE WRITTEN');
    expect(console).toContain(`Type  yes  and Enter to write ${disk.device}.`);
    expect(console).toContain('"ja" is no yes: nothing is written.');
  });

  it('installs after a yes with no network and no server, waits for the medium to be pulled out, and asks before it does the same again', async () => {
    const medium = join(disk.directory, 'stick');
    await writeFile(medium, '');
    let released = false;
    const release = async () => {
      released = true;
      setTimeout(() => void rm(medium, { force: true }), 500);
    };
    expect(await run({}, ['yes'], { medium: { device: medium, release } }), console).toBe('rebooted');
    expect(released).toBe(true);
    expect(console).toContain('web01 is installed. Take the medium out: the machine then restarts by itself');
    expect(await signatures()).toContain('PTTYPE="gpt"');
    console = '';
    // The medium is still in, and nobody there to say a word: the disk stays as it is.
    expect(await run({ install: 'confirm' }, [])).toBe('asked again');
    expect(console).toContain('THIS MEDIUM HAS INSTALLED THIS DISK ALREADY');
  });

  it('does not ask where it was told not to, but never twice; gives the machine its address', async () => {
    const network = { address: '10.0.0.5', prefix: 24, gateway: '10.0.0.1', dns: [] };
    const once = { install: 'unattended', afterwards: 'poweroff', network } as const;
    expect(await run({ ...once, mac: '52:54:00:00:00:99' }, [])).toBe('waits');
    expect(console).toContain('no card here is 52:54:00:00:00:99');
    expect(await signatures()).toBe('');
    expect(await run(once, []), console).toBe('off');
    expect(console).toMatch(/\[ ok \] .*give it the address 10\.0\.0\.5\/24 \(52:54:00:00:00:01\)/);
    console = '';
    expect(await run(once, [])).toBe('asked again');
    expect(console).toContain('THIS MEDIUM HAS INSTALLED THIS DISK ALREADY');
  });

  it('runs the scripts that lie signed beside the image, and no others', async () => {
    const { scripts } = context.paths;
    for (const [path, text] of [
      ['pre-install/all/10-say', '#!/bin/sh\necho "before $HOSTNAME on $DISK"\n'],
      ['pre-install/group/rack1/20-group', '#!/bin/sh\necho "in $GROUPNAMES"\nexit 3\n'],
      ['pre-install/image/db/30-db', '#!/bin/sh\necho db\n'],
    ] as const) {
      await mkdir(dirname(join(scripts, path)), { recursive: true });
      await writeFile(join(scripts, path), text);
    }
    const store = join(disk.directory, 'data/store');
    await using medium = await openMediumStore(context, ['web:1'], Task.silent(), '');
    const files = medium.files.filter(({ path }) => path.startsWith('scripts.json'));
    expect(files.map(({ path }) => path)).toEqual(['scripts.json', 'scripts.json.minisig']);
    for (const { path, source } of files) await writeFile(join(store, path), source);
    expect(await readFile(join(store, 'scripts.json'), 'utf8')).not.toContain('30-db');
    expect(await run({ groups: ['rack1'] }, ['yes'])).toBe('asked again');
    expect(console).toContain('scripts  10-say (pre-install), 20-group (pre-install)');
    expect(console).toContain(`  | before web01 on ${disk.device}`);
    expect(console).toContain('  | in rack1');
    expect(console).toContain('NOT INSTALLED. NOTHING WAS WRITTEN.');
    expect(await signatures()).toBe('');
    // Another's script, or none where there were some signed.
    const text = await readFile(join(store, 'scripts.json'), 'utf8');
    await writeFile(join(store, 'scripts.json'), text.replace('before', 'BEFORE'));
    expect(await run({ install: 'unattended' }, [])).toBe('waits');
    expect(console).toContain('the scripts of the medium');
    await rm(join(store, 'scripts.json.minisig'));
    expect(await run({ install: 'unattended' }, [])).toBe('waits');
    expect(await signatures()).toBe('');
  });

  /** Somebody else's system, as far as its table and boot code go. */
  async function foreignDisk(): Promise<Buffer> {
    await systemProcesses.run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk.device], {
      input: 'label: dos\nlabel-id: 0x1234abcd\nstart=2048, size=20480, type=7, bootable\n',
    });
    await using handle = await open(disk.device, 'r+');
    await handle.write(Buffer.alloc(440, 0x33), 0, 440, 0);
    await handle.sync();
    return readStart();
  }

  async function readStart(): Promise<Buffer> {
    await systemProcesses.run('blockdev', ['--flushbufs', disk.device]);
    await using handle = await open(disk.device, 'r');
    return (await handle.read(Buffer.alloc(512), 0, 512, 0)).buffer;
  }

  it('keeps what booted before on the medium, from where it comes back', async () => {
    await using place = await labelled('IMPRINT-CFG');
    const before = await foreignDisk();
    expect(await run({ install: 'unattended', afterwards: 'poweroff' }, [])).toBe('waits');
    expect(console).toMatch(/ERASE=windows in\s+local\.cfg/);
    expect(await readStart()).toEqual(before);
    const directory = join(disk.directory, 'copies');
    const means = { processes: systemProcesses, clock: systemClock, directory };
    const copyPlace = (written: string) => findCopyPlace(means, undefined, written);
    expect(await copyPlace(place.device)).toBeUndefined();
    expect(
      await run({ install: 'unattended', erase: 'windows', afterwards: 'poweroff' }, [], { copyPlace }),
      console,
    ).toBe('off');
    expect(console).toContain(`  before   what boots from it is kept on ${place.device}`);
    expect(console).toMatch(/\[ ok \] .*keep a copy of what boots from \/dev\/loop\d+, on the medium/);
    expect((await readStart()).equals(before)).toBe(false);
    const copy = join(disk.directory, 'copy.tar.gz');
    await systemProcesses.run('debugfs', ['-R', `dump /boot-copies/web01-1.boot.tar.gz ${copy}`, place.device]);
    const wish = { file: copy, disk: disk.device, parts: ['code', 'table'] as const, force: true };
    const restore = { ...wish, parts: [...wish.parts], undo: join(disk.directory, 'undo.tar.gz') };
    await using prepared = await prepareRestore(
      { processes: systemProcesses, clock: systemClock },
      restore,
      Task.silent(),
    );
    await prepared.apply(Task.silent());
    expect((await readStart()).equals(before)).toBe(true);
  });

  it('says on the console where no medium can keep it; refuses where one should and cannot, unless it was told not to', async () => {
    const before = await foreignDisk();
    expect(await run({ install: 'confirm' }, ['no'], { copyPlace: async () => undefined })).toBe('asked again');
    expect(console).toContain(
      `  before   NO COPY is kept of what boots from ${disk.device}: no medium here can be written`,
    );
    const full = { device: '/dev/sdz1', keep: () => Promise.reject(new Error('the stick is full')) };
    const copyPlace = async () => full;
    expect(await run({ install: 'unattended', erase: 'windows', afterwards: 'poweroff' }, [], { copyPlace })).toBe(
      'asked again',
    );
    expect(console).toContain('NOT INSTALLED. NOTHING WAS WRITTEN.');
    expect(console).toMatch(/What boots from \S+ of web01 cannot be kept before the install: the\s+stick is full\./);
    expect(console).toContain('BOOT_COPY=none in local.cfg');
    expect((await readStart()).equals(before)).toBe(true);
    const without = { install: 'unattended', erase: 'windows', afterwards: 'poweroff', bootCopy: 'none' } as const;
    expect(await run(without, [], { copyPlace }), console).toBe('off');
  });

  it('writes nothing where the image is not there, not trusted, or the disk not clear', async () => {
    expect(await run({ install: 'unattended', image: 'db' }, [])).toBe('waits');
    expect(console).toContain('There is no image "db"');
    expect(await run({ install: 'unattended', disk: 'serial=other' }, [])).toBe('waits');
    expect(console).toContain('No disk of web01 can take the image');
    await rm(join(disk.directory, 'data/store/images/web/1.json.minisig'));
    expect(await run({ install: 'unattended' }, [])).toBe('waits');
    expect(console).toContain('carries no signature');
    expect(await signatures()).toBe('');
  });
});

describe.skipIf(process.getuid?.() !== 0)('findSettings', () => {
  it('reads a partition with the label for it, and writes down what the network is to be', async () => {
    await using place = await loopDisk(16 * 2 ** 20);
    await mkdir(join(place.directory, 'files'));
    await writeFile(
      join(place.directory, 'files/local.cfg'),
      'HOSTNAME=web01\r\nIPADDR=10.0.0.5/24\r\nMONITOR_SERVER=x\r\n',
    );
    // Nobody ever writes to it: whoever opened it to read would wait for ever.
    await systemProcesses.run('mkfifo', [join(place.directory, 'files/local-52-54-00-12-34-56.cfg')]);
    const tree = ['-q', '-t', 'ext4', '-L', 'imprint-cfg', '-d', join(place.directory, 'files'), place.device];
    await systemProcesses.run('mke2fs', tree);
    const search = {
      processes: systemProcesses,
      clock: systemClock,
      medium: undefined,
      macs: [],
      hasServer: false,
      directory: place.directory,
    };
    const found = await findSettings(search);
    expect(found).toEqual({
      settings: { hostName: 'web01', network: { address: '10.0.0.5', prefix: 24, dns: [] } },
      source: `local.cfg on ${place.device} (imprint-cfg)`,
      remarks: ['line 3: MONITOR_SERVER means nothing to Imprint'],
    });
    expect(await readFoundSettings(place.directory)).toEqual(found);
    expect(await readFile(join(place.directory, 'network'), 'utf8')).toBe('address 10.0.0.5/24\n');
    expect((await systemProcesses.run('findmnt', ['--source', place.device], { accept: [0, 1] })).stdout).toBe('');
  });
});

describe('networkLines', () => {
  it('says what the shell of the imager needs, a word and a value a line', () => {
    const network = { address: '10.0.0.5', prefix: 24, gateway: '10.0.0.1', dns: ['10.0.0.1', '10.0.0.2'] };
    const found = { settings: { network, domain: 'example.org', mac: '52:54:00:12:34:56' }, remarks: [] };
    expect(networkLines(found, true).split('\n')).toEqual([
      ...['mac 52:54:00:12:34:56', 'address 10.0.0.5/24', 'gateway 10.0.0.1', 'dns 10.0.0.1', 'dns 10.0.0.2'],
      ...['domain example.org', ''],
    ]);
  });

  it('lets an install from the medium begin without a network', () => {
    const medium = { device: '/dev/sdb2', disk: '/dev/sdb', store: '/run/imprint/medium/store' };
    const settings = { install: 'confirm', image: 'web', hostName: 'a' } as const;
    expect(networkLines({ settings, remarks: [], medium }, true)).toBe('beside yes\n');
    // Somebody at the machine is asked.
    expect(networkLines({ remarks: [], medium }, false)).toBe('beside yes\n');
    // The server is.
    expect(networkLines({ remarks: [], medium }, true)).toBe('');
    expect(networkLines({ settings: { server: 'http://10.0.0.1' }, remarks: [], medium }, false)).toBe('');
  });
});
