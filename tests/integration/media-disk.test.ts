import { generateKeyPairSync, hash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { createSigner, formatPublicKey, type Signer } from '../../src/image/signature.ts';
import { parseAgentSettings } from '../../src/machine/agent-settings.ts';
import { decideBoot } from '../../src/machine/decide-boot.ts';
import type { ImagerRecord } from '../../src/machine/imager-record.ts';
import type { InstalledLayout } from '../../src/machine/installed-layout.ts';
import { withTrial } from '../../src/machine/trial.ts';
import { putImagerOnDisk } from '../../src/operations/media/imager-on-disk.ts';
import { settleBoot } from '../../src/operations/update/settle-boot.ts';
import { lookAtMachine, type ThisMachine } from '../../src/operations/update/this-machine.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const uuid = '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a01';
const layout: InstalledLayout = { format: 1, layout: 'slots', boot: uuid, esp: '1234-ABCD', slots: [] };
const entry = (id: string) => ({
  ...{ id, slot: id.slice(0, 1), reference: 'web:1', digest: `sha256:${'0'.repeat(64)}`, title: 'web:1' },
  ...{ kernelVersion: '6.1.0', kernelOptions: ['ro'], created: '2026-01-01T00:00:00Z' },
});
const input = { patience: 15, restart: 'none', cancel: false } as const;

it('starts the imager for one boot, and whatever becomes of it, the next boot is the machine as it was', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  await using server = await imagerServer();
  const machine = await installedMachine(disk, server);
  const { output } = await putImagerOnDisk({ ...machine, machine }, input, Task.silent());
  expect(output).toMatchObject({ by: 'imprint', server: server.url, kernel: '6.1.0-imager', restart: 'none' });
  const staged = await lookAtMachine(machine);
  expect(staged.pointer).toMatchObject({ good: 'a-1', trial: output.entry, tries: 1 });
  const imager = staged.entries.find(({ id }) => id === output.entry);
  expect(imager?.files).toEqual({ vmlinuz: hash('sha256', server.vmlinuz), initrd: hash('sha256', server.initrd) });
  expect(imager?.kernelOptions).toEqual(
    expect.arrayContaining([`imprint.server=${server.url}`, 'imprint.return=900', 'panic=30']),
  );
  const first = decideBoot(staged.pointer, staged.tries);
  expect(first).toMatchObject({ entry: output.entry, kind: 'trial', left: 0 });

  // GRUB has counted, the imager did nothing, and the machine is back.
  await onBoot(machine, (boot) => boot.writeTries(first?.write ?? { sequence: 0, left: 9 }));
  expect(decideBoot(staged.pointer, first?.write)).toMatchObject({ entry: 'a-1', kind: 'good' });
  const words = { entry: 'a-1', sequence: staged.pointer.sequence };
  const settled = await settleBoot({ ...machine, words });
  expect(settled.pointer).toEqual({ sequence: staged.pointer.sequence + 1, good: 'a-1', tries: 0 });
  expect(settled.situation.kind).toBe('settled');
  expect(settled.failure, 'it is no version that failed').toBeUndefined();
  expect((await lookAtMachine(machine)).entries.map(({ id }) => id)).toEqual(['a-1']);
});

it('takes it back, and replaces one by a newer one', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  await using server = await imagerServer();
  const machine = await installedMachine(disk, server);
  const { output: old } = await putImagerOnDisk({ ...machine, machine }, input, Task.silent());
  server.set({ initrd: Buffer.alloc(2_000_000, 'newer') });
  const { output } = await putImagerOnDisk({ ...machine, machine }, input, Task.silent());
  expect(output.entry).not.toBe(old.entry);
  const { entries, pointer } = await lookAtMachine(machine);
  expect(entries.map(({ id }) => id)).toEqual(['a-1', output.entry]);
  expect(pointer).toMatchObject({ good: 'a-1', trial: output.entry, tries: 1 });
  const cancelled = await putImagerOnDisk({ ...machine, machine }, { ...input, cancel: true }, Task.silent());
  expect(cancelled.output).toEqual({ by: 'imprint', cancelled: true, restart: 'none' });
  const after = await lookAtMachine(machine);
  expect(after.entries.map(({ id }) => id)).toEqual(['a-1']);
  expect(after.pointer).toMatchObject({ good: 'a-1', tries: 0 });
  expect(after.pointer.trial).toBeUndefined();
});

it('believes nothing that the server of this machine did not sign, and disturbs no update', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  await using server = await imagerServer();
  const machine = await installedMachine(disk, server);
  const { pointer } = await lookAtMachine(machine);
  const refused = (code: string) =>
    expect(putImagerOnDisk({ ...machine, machine }, input, Task.silent())).rejects.toMatchObject({ code });
  server.set({ signer: newSigner() });
  await refused('signature-wrong');
  server.set({ signer: server.signer, sent: Buffer.alloc(2_000_000, 'another') });
  await refused('imager-unfit');
  server.set({ missing: true });
  await refused('imager-unfit');
  server.set({});
  await onBoot(machine, async (boot) => {
    expect(await boot.pointer()).toEqual(pointer);
    expect(await boot.entries()).toHaveLength(1);
    await boot.addEntry(entry('b-2'), { vmlinuz: Buffer.from('kernel') });
    await boot.writePointer(withTrial(pointer, 'b-2', 3));
  });
  await refused('update-running');
  expect((await lookAtMachine(machine)).pointer).toMatchObject({ good: 'a-1', trial: 'b-2', tries: 3 });
});

async function onBoot(machine: ThisMachine, work: (boot: BootPartition) => Promise<void>): Promise<void> {
  await using boot = await BootPartition.open(systemProcesses, machine.bootDevice);
  await work(boot);
}

/** A machine that runs `a-1`, as far as its boot partition tells. */
async function installedMachine(disk: LoopDisk, server: ImagerServer): Promise<ThisMachine> {
  const { device, directory } = disk;
  const mountAt = join(directory, 'boot');
  const place = { device, uuid, mountAt, layout, entry: entry('a-1'), timeout: 2 };
  await makeBootPartition(systemProcesses, { ...place, files: { vmlinuz: Buffer.alloc(100_000, 'kernel') } });
  const root = join(directory, 'root');
  await mkdir(join(root, 'etc/imprint'), { recursive: true });
  await writeFile(join(root, 'etc/imprint/server.pub'), formatPublicKey(server.signer.publicKey));
  const settings = parseAgentSettings(`server: ${server.url}/\n`, 'agent.yaml');
  const words = { entry: 'a-1', sequence: 1 };
  return { processes: systemProcesses, clock: systemClock, root, settings, words, bootDevice: device };
}

interface Served {
  initrd?: Buffer;
  /** Instead of what is signed. */
  sent?: Buffer;
  signer?: Signer;
  missing?: boolean;
}

interface ImagerServer extends AsyncDisposable {
  url: string;
  signer: Signer;
  vmlinuz: Buffer;
  initrd: Buffer;
  set(served: Served): void;
}

function newSigner(): Signer {
  return createSigner(generateKeyPairSync('ed25519').privateKey);
}

/** What a server has below `/boot`. */
async function imagerServer(): Promise<ImagerServer> {
  const own = newSigner();
  const vmlinuz = Buffer.alloc(1_000_000, 'imager');
  const usual = Buffer.alloc(3_000_000, 'initrd');
  let files: Record<string, Uint8Array> = {};
  const set = ({ initrd = usual, sent = initrd, signer = own, missing = false }: Served) => {
    const record: ImagerRecord = {
      ...{ format: 1, kind: 'imager', key: own.publicKey.id, kernel: '6.1.0-imager', suite: 'bookworm' },
      files: { vmlinuz: hash('sha256', vmlinuz), initrd: hash('sha256', initrd) },
    };
    const text = Buffer.from(`${JSON.stringify(record)}\n`);
    files = { vmlinuz, 'initrd.img': sent, 'imager.json': text };
    if (!missing) files['imager.json.minisig'] = Buffer.from(signer.sign(text, 'imprint imager'));
  };
  set({});
  const server = createServer((request, response) => {
    const file = files[(request.url ?? '').replace('/boot/', '')];
    response.writeHead(file === undefined ? 404 : 200).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ signer: own, vmlinuz, initrd: usual, set },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
