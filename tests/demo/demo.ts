/**
 * `./demo`: a machine that runs is captured, served, and installed on a bare one that comes up as itself, is updated, survives a bad version and goes back. `./demo live`:
 * the bare one is in use before it is installed.
 */
import { parseArgs } from 'node:util';
import { commandLine } from '../../src/system/run.ts';
import { accelerator } from '../lab/accelerator.ts';
import { hashDisk } from '../lab/disk.ts';
import { goldenMachine, goldenPage, rootPassword } from '../lab/golden.ts';
import { goldenAddress, Laboratory } from '../lab/laboratory.ts';
import type { Firmware, Machine } from '../lab/machine.ts';
import { inBackground, releaseFront, runInBackground } from './background.ts';
import { liveStages } from './live-stages.ts';
import { Narrator } from './narrator.ts';
import { updateStages } from './update-stages.ts';

const minute = 60_000;
const name = 'web01';
const address = '10.9.0.11';

/** What one stage leaves for the next. */
interface Scene {
  readonly lab: Laboratory;
  readonly tell: Narrator;
  readonly firmware: Firmware;
  /** Ends when the machine is installed. */
  readonly short: boolean;
  /** The machine is in use before it is installed. */
  readonly live: boolean;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { uefi: { type: 'boolean' }, keep: { type: 'boolean' }, short: { type: 'boolean' } },
  });
  const [story] = positionals;
  if (positionals.length > 1 || (story !== undefined && story !== 'live'))
    throw new Error(`there is no story “${positionals.join(' ')}”: ./demo --help`);
  if (values.keep && !inBackground()) process.exit(await runInBackground());
  const tell = new Narrator();
  await tell.stage('The laboratory', async () => {
    tell.fact(
      `virtual machines run by ${(await accelerator()) === 'kvm' ? 'KVM' : 'software emulation (no usable KVM here)'}`,
    );
    tell.waiting('building the golden machine’s disk (once; later runs take it from the cache)');
    await goldenMachine();
    tell.fact('the golden machine’s disk is ready: Debian 12, systemd, ssh, nginx');
  });
  await using lab = await Laboratory.open(values.keep ? 'imprint-demo' : undefined);
  lab.onOutput = (line) => tell.said(line);
  const scene: Scene = {
    lab,
    tell,
    firmware: values.uefi ? 'uefi' : 'bios',
    short: values.short ?? false,
    live: story === 'live',
  };
  try {
    await play(scene);
  } catch (error) {
    console.error(`\ndemo: ${error instanceof Error ? error.message : String(error)}`);
    console.error(`demo: the consoles’ logs are kept in ${await lab.keepLogs()}`);
    process.exitCode = 1;
    return;
  }
  tell.summary();
  if (values.keep) {
    console.log(howToGoOn(lab));
    releaseFront();
    // Nothing but a signal ends this: it holds the machines, and takes them down with it.
    await new Promise(() => setInterval(() => {}, minute));
  }
}

async function play({ lab, tell, firmware, short, live }: Scene): Promise<void> {
  await tell.stage('1. A golden machine boots and runs', async () => {
    tell.waiting('booting Debian 12');
    await lab.startGolden();
    await servesPage(lab, goldenAddress);
    tell.fact(`${goldenAddress} is up; its nginx serves its page`);
  });
  await tell.stage('2. It is captured over ssh while it runs', async () => {
    const capture = ['capture', `ssh://root@${goldenAddress}`, '--name', 'web'];
    await imprint(lab, tell, capture, lab.captureOptions());
    await servesPage(lab, goldenAddress);
    tell.fact('web:1 is made; the golden machine’s nginx went on serving');
  });
  await tell.stage('3. The image server starts, with DHCP, TFTP and HTTP', async () => {
    const kernel = live ? ['--kernel-from', 'web'] : [];
    tell.command(commandLine('imprint', ['media', 'netboot', ...kernel]));
    tell.waiting('building the imager (packages from the cache after the first run)');
    await lab.buildImager(kernel);
    // The network's old DHCP server makes room for ours: two on one network is what `serve` refuses.
    await lab.stopSiteDhcp();
    tell.command(`imprint serve --netboot ${lab.network.bridge} --listen ${lab.network.address}:4280`);
    await lab.startServer();
    tell.fact(`it answers on http://${lab.network.address}:4280 and boots machines on ${lab.network.bridge}`);
  });
  const goldenKeys = await lab.hostKeys(goldenAddress);
  const goldenId = await lab.ssh(goldenAddress, 'cat /etc/machine-id');
  const bare = await discovery(lab, tell, firmware);
  if (live) {
    const [found] = (await lab.machines()) ?? [];
    return liveStages({ lab, tell, machine: bare, name, address, page: goldenPage }, found?.name ?? '');
  }
  await installation(lab, tell, bare);
  await tell.stage('6. It is itself, not a copy', async () => {
    await servesPage(lab, address);
    tell.fact(`nginx on ${address} serves the golden machine’s page`);
    const [host = '', machineId = ''] = (await lab.ssh(address, 'hostname; cat /etc/machine-id')).trim().split('\n');
    mustBe(host === name, `its host name is ${host}`);
    tell.fact(`its host name is ${host}`);
    mustBe(/^[0-9a-f]{32}$/.test(machineId) && machineId !== goldenId.trim(), `its machine-id is ${machineId}`);
    tell.fact(`its machine-id is its own: ${machineId.slice(0, 8)}…, the golden one’s ${goldenId.slice(0, 8)}…`);
    const keys = await lab.hostKeys(address);
    mustBe(keys.length > 0 && keys.every((key) => !goldenKeys.includes(key)), 'a host key is the golden machine’s');
    tell.fact(`its ${keys.length} SSH host keys are its own`);
  });
  if (!short) await updateStages({ lab, tell, machine: bare, name, address, page: goldenPage });
}

async function discovery(lab: Laboratory, tell: Narrator, firmware: Firmware): Promise<Machine> {
  let machine: Machine | undefined;
  await tell.stage(`4. A bare machine (${firmware.toUpperCase()}) netboots, and is only discovered`, async () => {
    machine = await lab.startBare({ name: 'bare', number: 16, firmware, freshBoots: true });
    const before = await hashDisk(lab.diskOf('bare'));
    tell.waiting('firmware, iPXE, kernel, imager');
    const found = await lab.untilMachine(machine.mac, 'is discovered', 5 * minute, (each) => each.facts !== undefined);
    mustBe(found.state === 'discovered' && !found.approved, `it is ${found.state}`);
    await imprint(lab, tell, ['machines']);
    tell.waiting('giving it ten seconds in which it could do harm');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    mustBe((await hashDisk(lab.diskOf('bare'))) === before, 'its disk was written');
    tell.fact(`${found.name} is discovered; not one byte of its disk was changed`);
  });
  if (!machine) throw new Error('no machine was started');
  return machine;
}

async function installation(lab: Laboratory, tell: Narrator, bare: Machine): Promise<void> {
  await tell.stage('5. It is named, gets the image, installs itself, and boots its own disk', async () => {
    const [found] = (await lab.machines()) ?? [];
    const approve = ['machine', 'approve', found?.name ?? '', '--name', name, '--image', 'web', '--address', address];
    await imprint(lab, tell, approve);
    await imprint(lab, tell, ['install', name, '--layout', 'slots', '--yes', '--wait']);
    tell.fact('installed, every chunk verified');
    tell.waiting('rebooting from its own disk');
    await bare.serial.expect(/E2E-READY [^\n]*\n/, 5 * minute);
    await lab.untilMachine(bare.mac, 'is healthy', 2 * minute, (each) => each.state === 'healthy');
    await imprint(lab, tell, ['machines']);
    tell.fact(`${name} booted from its own disk and reported itself healthy`);
  });
}

/** Runs a command of Imprint, shows it and what it says, and fails with it. `more`: words that say nothing to people. */
async function imprint(
  lab: Laboratory,
  tell: Narrator,
  args: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  tell.command(commandLine('imprint', args));
  const { status } = await lab.imprint([...args, ...more], 15 * minute);
  mustBe(status === 0, `${commandLine('imprint', args)} ended with status ${status}`);
}

async function servesPage(lab: Laboratory, host: string): Promise<void> {
  await lab.until(
    `http://${host}/ serves the page`,
    minute,
    async () => (await lab.fetch(`http://${host}/`)) === goldenPage,
  );
}

function mustBe(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}

function howToGoOn(lab: Laboratory): string {
  const inside = `ip netns exec ${lab.network.name}`;
  const ssh = `ssh -i ${lab.golden.sshKey} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null`;
  return `
Everything runs on (all as root):
  the golden machine   ${inside} ${ssh} root@${goldenAddress}
  the new machine      ${inside} ${ssh} root@${address}      (console password: ${rootPassword})
  watch                IMPRINT_DATA=${lab.data} ${inside} ./imprint watch
  the status page      ${inside} curl http://${lab.network.address}:4280/
  the consoles         tail -f ${lab.directory}/*.serial.log
  install once more    IMPRINT_DATA=${lab.data} ${inside} ./imprint install ${name} --yes, then ${inside} ${ssh} root@${address} reboot
  stop, leave nothing  kill ${process.pid}`;
}

await main();
