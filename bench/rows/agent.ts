import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildBundle } from '../../scripts/build.ts';
import { renderAgentUnit } from '../../src/machine/agent-files.ts';
import { Background } from '../background.ts';
import type { Goal, Line, Report } from '../report.ts';
import { quoted, type Workshop } from '../workshop.ts';

const port = 18_744;
/** Seconds for which it is watched, once it has been there for `settling` seconds. */
const watched = 120;
const settling = 15;
const node = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));

/**
 * The agent while nothing happens: without a server, and with one whose long answer it waits for. It runs as its unit starts it, with settings of its own over
 * `/etc` in a mount namespace. This machine is none that Imprint boots, so it has no boot partition to look at. Needs root.
 */
export async function measureAgent(workshop: Workshop): Promise<Report> {
  const directory = workshop.empty('agent');
  await buildBundle(join(directory, 'bundle'));
  const data = join(directory, 'data');
  await using _server = await Background.start(
    workshop.imprint,
    ['--data', data, '--store', join(directory, 'store'), 'serve', '--listen', `127.0.0.1:${port}`],
    port,
  );
  const alone = await watch(workshop, directory, 'on its own');
  const upper = join(directory, 'upper', 'imprint');
  mkdirSync(upper, { recursive: true });
  writeFileSync(join(upper, 'agent.yaml'), `server: http://127.0.0.1:${port}\n`);
  copyFileSync(join(data, 'keys/server.pub'), join(upper, 'server.pub'));
  const waiting = await watch(workshop, directory, 'waiting for its server');
  workshop.remove('agent');
  return { goals: [alone, waiting].flatMap(({ goals }) => goals), lines: [alone, waiting].map(({ line }) => line) };
}

async function watch(workshop: Workshop, directory: string, how: string): Promise<{ goals: Goal[]; line: Line }> {
  for (const name of ['upper', 'scratch']) mkdirSync(join(directory, name), { recursive: true });
  const layers = `lowerdir=/etc,upperdir=${join(directory, 'upper')},workdir=${join(directory, 'scratch')}`;
  const flags = /^ExecStart=\S+ (.*) \S+$/m.exec(renderAgentUnit())?.[1] ?? '';
  const program = `exec ${quoted(node)} ${flags} ${quoted(join(directory, 'bundle', 'agent.mjs'))}`;
  const script = `mount -t overlay -o ${quoted(layers)} overlay /etc && ${program}`;
  await using agent = Background.spawn('unshare', ['--mount', 'sh', '-c', script]);
  await pause(settling);
  const before = agent.cpu();
  await pause(watched);
  const cpu = agent.cpu() - before;
  const measured = { cpu, wall: watched, memory: agent.memory() };
  workshop.say(`agent ${how}: ${measured.memory.toFixed(0)} MiB, ${cpu.toFixed(2)} s CPU in ${watched} s`);
  return {
    goals: [
      {
        name: `agent, ${how}: resident memory`,
        own: measured.memory,
        limit: 80e6 / 2 ** 20,
        unit: 'MiB',
        against: '80 MB',
      },
      { name: `agent, ${how}: CPU in an hour`, own: (cpu / watched) * 3600, unit: 's CPU', against: '' },
    ],
    line: { name: `agent, ${how}, for ${watched} s`, measured },
  };
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
