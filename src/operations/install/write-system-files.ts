import { chmod, symlink } from 'node:fs/promises';
import { firstBootPaths, renderFirstBootScript, renderFirstBootUnit } from '../../machine/first-boot.ts';
import { espMountPoint, type InstalledMounts, keptMountPoints, renderFstab } from '../../machine/fstab.ts';
import { hostMounts, hostPaths } from '../../machine/installed-layout.ts';
import { type InstalledStack, renderCrypttab, renderMdadmConf } from '../../machine/installed-stack.ts';
import { renderZramScript, renderZramUnit, zramPaths } from '../../machine/zram.ts';
import type { StepOf } from '../../planning/step.ts';
import { type RootFiles, rootFiles } from '../../system/root-files.ts';
import type { InstallContext } from './install-context.ts';

/** Writes `/etc/fstab` of the system below `root` for this machine, and makes the directories that a boot mounts on. */
export async function writeMounts(root: string, mounts: InstalledMounts): Promise<void> {
  const files = rootFiles(root);
  const imageFstab = (await files.read('etc/fstab')) ?? '';
  await files.write('etc/fstab', renderFstab(imageFstab, mounts));
  await writeStack(files, mounts.stack);
  await writeZram(files, mounts.zram);
  // A tree captured from a directory may lack what a running system always has.
  for (const point of [
    'proc',
    'sys',
    'dev',
    'run',
    espMountPoint(mounts),
    ...dataPoints(mounts),
    ...keptMountPoints(imageFstab),
  ]) {
    await files.makeDirectory(point);
  }
  if (!(await files.exists('tmp'))) {
    await files.makeDirectory('tmp');
    await chmod(await files.resolve('tmp'), 0o1777);
  }
  if (mounts.host !== undefined) await linkHostPartition(files);
}

async function writeZram(files: RootFiles, sizes: readonly string[] | undefined): Promise<void> {
  if (sizes === undefined) return;
  await files.write(zramPaths.script, renderZramScript(sizes), 0o755);
  await files.write(zramPaths.unit, renderZramUnit());
  await files.remove(zramPaths.wanted);
  await files.makeDirectory(zramPaths.wanted.slice(0, zramPaths.wanted.lastIndexOf('/')));
  await symlink(`/${zramPaths.unit}`, await files.resolve(zramPaths.wanted));
}

/** By what the system sets its arrays and encrypted devices in motion. */
async function writeStack(files: RootFiles, stack: InstalledStack | undefined): Promise<void> {
  if (stack === undefined) return;
  const { raids, crypts } = stack;
  if (crypts.length > 0) await files.write('etc/crypttab', renderCrypttab(crypts));
  if (raids.length === 0) return;
  const path = (await files.exists('etc/mdadm')) ? 'etc/mdadm/mdadm.conf' : 'etc/mdadm.conf';
  await files.write(path, renderMdadmConf(raids, await files.read(path)));
}

function dataPoints({ data = [], shared = [] }: InstalledMounts): string[] {
  return [...data, ...shared].map(({ mount }) => mount.slice(1));
}

/** `/hostpart`, and `/data0` for what outlives every version; something else of that name is left alone. */
async function linkHostPartition(files: RootFiles): Promise<void> {
  await files.makeDirectory(hostMounts.host);
  if (await files.exists(hostMounts.dataLink)) return;
  await files.remove(hostMounts.dataLink);
  await symlink(`/${hostMounts.host}/${hostPaths.data}`, `${files.root}/${hostMounts.dataLink}`);
}

export async function writeFstab(step: StepOf<'write-fstab'>, context: InstallContext): Promise<void> {
  await writeMounts(context.target, step.mounts);
}

/** Puts the unit that reports the first boot in place, enabled. */
export async function writeFirstBoot(
  step: Omit<StepOf<'write-first-boot'>, 'kind'>,
  context: InstallContext,
): Promise<void> {
  const files = rootFiles(context.target);
  const { server, session, order, digest } = step;
  await files.write(firstBootPaths.script, renderFirstBootScript({ server, session, order, digest }), 0o755);
  await files.write(firstBootPaths.unit, renderFirstBootUnit());
  await files.remove(firstBootPaths.wanted);
  await files.makeDirectory(firstBootPaths.wanted.slice(0, firstBootPaths.wanted.lastIndexOf('/')));
  await symlink(`/${firstBootPaths.unit}`, await files.resolve(firstBootPaths.wanted));
}
