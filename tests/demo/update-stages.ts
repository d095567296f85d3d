import { commandLine } from '../../src/system/run.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import type { Machine } from '../lab/machine.ts';
import type { Narrator } from './narrator.ts';

const minute = 60_000;
/** The edit, as a person would type it, and what it makes of the page. */
const [before, after] = ['was made on the golden machine', 'came with the second version'];
const edit = ['sed', '-i', `s/${before}/${after}/`, '/var/www/html/index.html'];

/** What the update stages play with. */
export interface UpdateScene {
  readonly lab: Laboratory;
  readonly tell: Narrator;
  /** The installed machine, its name at the server, and where its nginx answers. */
  readonly machine: Machine;
  readonly name: string;
  readonly address: string;
  /** What its nginx serves now. */
  readonly page: string;
}

/** The installed machine is updated, survives a bad version, and goes back. */
export async function updateStages(scene: UpdateScene): Promise<void> {
  const { lab, tell, name, page } = scene;
  const newPage = page.replace(before, after);
  const itself = await identity(scene);
  await tell.stage('7. The image is edited, and the change rolled to the machine', async () => {
    await run(scene, ['edit', 'web', '--', ...edit]);
    await run(scene, ['update', name, '--image', 'web:2', '--wait']);
    await serves(scene, newPage);
    tell.fact(`${name} runs web:2, proved healthy; its nginx serves the new page`);
    await run(scene, ['machines']);
  });
  await tell.stage('8. A version is broken on purpose, and the machine comes back by itself', async () => {
    await run(scene, ['edit', 'web', '--', 'sh', '-c', 'echo nonsense > /etc/nginx/nginx.conf']);
    const words = ['update', name, '--image', 'web:3', '--tries', '1', '--wait'];
    tell.command(commandLine('imprint', words));
    const { status, stderr } = await lab.imprint(words, 15 * minute);
    if (status === 0) throw new Error('the broken version was taken for a good one');
    if (!/failed: nginx/.test(stderr)) throw new Error(`it was given up for another reason: ${stderr.slice(-600)}`);
    tell.fact('web:3 was booted on trial, nginx failed, and it was given up');
    await serves(scene, newPage);
    tell.fact(`${name} runs web:2 again without anybody’s help`);
    await run(scene, ['machine', 'show', name]);
  });
  await tell.stage('9. One command goes back to the first version', async () => {
    await run(scene, ['revert', name, '--to', 'web:1', '--wait']);
    await serves(scene, page);
    tell.fact(`${name} serves the golden machine’s page again`);
    const now = await identity(scene);
    if (now !== itself) throw new Error(`it is no longer itself:\n${now}\nbefore:\n${itself}`);
    tell.fact('its host name, its machine-id and its SSH host keys are what they were');
  });
}

/** What nothing of all this may change. */
async function identity({ lab, address }: UpdateScene): Promise<string> {
  const names = await lab.ssh(address, 'hostname; cat /etc/machine-id');
  return [names.trim(), ...(await lab.hostKeys(address))].join('\n');
}

/** Runs a command of Imprint, shows it and what it says, and fails with it. */
async function run({ lab, tell }: UpdateScene, args: readonly string[]): Promise<void> {
  tell.command(commandLine('imprint', args));
  const { status, stderr } = await lab.imprint(args, 15 * minute);
  if (status !== 0)
    throw new Error(`${commandLine('imprint', args)} ended with status ${status}: ${stderr.slice(-600)}`);
}

async function serves({ lab, address }: UpdateScene, page: string): Promise<void> {
  await lab.until(
    `http://${address}/ serves the page`,
    3 * minute,
    async () => (await lab.fetch(`http://${address}/`))?.trim() === page.trim(),
  );
}
