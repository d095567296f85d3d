import { access, readdir, readFile } from 'node:fs/promises';
import { pairKernels } from '../machine/image-content.ts';
import { parseMountInfo } from '../machine/mounts.ts';
import type { RootFacts } from '../planning/recognise-root.ts';
import { mappedTable } from './device-mapper.ts';
import type { Processes } from './run.ts';

/** What this system tells of its root. Never rejects. */
export async function readRootFacts(processes: Processes): Promise<RootFacts> {
  const mounts = await textOf('/proc/self/mountinfo');
  const [container, mapped] = [await containerOf(), await mappedOf(processes, mounts)];
  return {
    ...{ mounts, commandLine: (await textOf('/proc/cmdline')).trim() },
    hasKernel: pairKernels(await readdir('/boot').catch(() => [])).length > 0,
    ...(container !== undefined && { container }),
    ...(mapped !== undefined && { mapped }),
  };
}

/** systemd tells it to what it starts; docker and podman leave a file. */
async function containerOf(): Promise<string | undefined> {
  const told = (await textOf('/run/systemd/container')).trim();
  if (told !== '') return told;
  const variable = /(?:^|\0)container=([^\0]+)/.exec(await textOf('/proc/1/environ'))?.[1];
  if (variable !== undefined) return variable;
  if (await isThere('/.dockerenv')) return 'docker';
  return (await isThere('/run/.containerenv')) ? 'podman' : undefined;
}

async function mappedOf(processes: Processes, mounts: string): Promise<RootFacts['mapped']> {
  const device = parseMountInfo(mounts).findLast(({ mountPoint }) => mountPoint === '/')?.device;
  const name = (await textOf(`/sys/dev/block/${device}/dm/name`)).trim();
  if (name === '') return undefined;
  const table = await mappedTable(processes, name).catch(() => undefined);
  return { name, table: table ?? '' };
}

function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
