import { commandLine } from '../../src/system/run.ts';
import { LiveWorker } from '../lab/live-worker.ts';
import type { UpdateScene } from './update-stages.ts';

const minute = 60_000;

/** A discovered machine is in use before it is installed, loses its power and its server meanwhile, and in the end needs nothing but its disk. */
export async function liveStages(scene: UpdateScene, discovered: string): Promise<void> {
  const { lab, tell, machine, name, address, page } = scene;
  const worker = new LiveWorker(lab, address);
  const run = async (args: readonly string[]) => {
    tell.command(commandLine('imprint', args));
    const { status, stderr } = await lab.imprint(args, 15 * minute);
    if (status !== 0) throw new Error(`${commandLine('imprint', args)} ended with ${status}: ${stderr.slice(-600)}`);
  };
  const serves = () =>
    lab.until(`http://${address}/ serves the page`, 3 * minute, async () => {
      return (await lab.fetch(`http://${address}/`))?.trim() === page.trim();
    });
  let placed = 0;
  await tell.stage('5. It is ordered live, and is in use at once', async () => {
    await run(['machine', 'approve', discovered, '--name', name, '--image', 'web', '--address', address]);
    placed = performance.now();
    await run(['install', name, '--live', '--rate', '4M', '--yes']);
    await machine.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute);
    await serves();
    tell.fact(`logged in and served a page ${seconds(placed)} after the order; next to nothing is on its disk`);
    const root = (await lab.ssh(address, 'findmnt -no SOURCE,SIZE /')).trim();
    tell.fact(`its root is ${root}: as large as the disk gives it while it moves`);
    await worker.start();
    tell.fact('somebody works on it: writes, syncs and checks, again and again');
  });
  await tell.stage('6. The server goes away for half a minute, and comes back', async () => {
    tell.waiting('no server');
    await lab.stopServer('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    await lab.startServer();
    const { turns } = await worker.state();
    tell.fact(`the work went on: ${turns} turns so far`);
  });
  await tell.stage('7. The disk has it all, without a restart', async () => {
    tell.waiting('copying, merging');
    await lab.untilMachine(machine.mac, 'is installed', 30 * minute, (each) => each.installed !== undefined);
    const { turns, longest } = await worker.state();
    await worker.check();
    tell.fact(
      `installed ${seconds(placed)} after the order; the work went on for ${turns} turns, the longest took ${longest} s`,
    );
    await run(['machines']);
  });
  await tell.stage('8. The server is switched off for good, and the machine restarts from its disk', async () => {
    await lab.stopServer();
    const mark = machine.serial.mark();
    await lab.ssh(address, 'systemctl stop work; systemctl reboot').catch(() => {});
    await machine.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute, mark);
    tell.fact(`${name} is up from its own disk, with nobody to ask`);
    // It takes its address from DHCP, which is the server's here.
    await lab.startServer();
    await serves();
    const { files } = await worker.check();
    tell.fact(
      `its root is ${(await lab.ssh(address, 'findmnt -no SOURCE,SIZE /')).trim()}; ${files} files of the work are whole`,
    );
  });
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed()} s`;
}
