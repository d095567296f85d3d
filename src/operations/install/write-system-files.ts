import { chmod, symlink } from 'node:fs/promises';
import { firstBootPaths, renderFirstBootScript, renderFirstBootUnit } from '../../machine/first-boot.ts';
import { keptMountPoints, renderFstab } from '../../machine/fstab.ts';
import { renderGrubConfig } from '../../machine/grub-config.ts';
import type { StepOf } from '../../planning/step.ts';
import { copyGrubModules } from '../../system/grub.ts';
import { rootFiles } from '../../system/root-files.ts';
import type { InstallContext } from './install-context.ts';

/** Writes `/etc/fstab` and makes the directories that a boot mounts on. */
export async function writeFstab(step: StepOf<'write-fstab'>, context: InstallContext): Promise<void> {
  const files = rootFiles(context.target);
  const imageFstab = (await files.read('etc/fstab')) ?? '';
  await files.write('etc/fstab', renderFstab(imageFstab, step.mounts));
  // A tree captured from a directory may lack what a running system always has.
  for (const point of ['proc', 'sys', 'dev', 'run', 'boot/efi', ...keptMountPoints(imageFstab)]) {
    await files.makeDirectory(point);
  }
  if (!(await files.exists('tmp'))) {
    await files.makeDirectory('tmp');
    await chmod(await files.resolve('tmp'), 0o1777);
  }
}

/** Writes the boot menu and the modules that GRUB loads beside it. */
export async function writeBootMenu(step: StepOf<'write-boot-menu'>, context: InstallContext): Promise<void> {
  const files = rootFiles(context.target);
  await files.makeDirectory('boot/grub');
  await copyGrubModules(files.root, context.grub);
  await files.write('boot/grub/grub.cfg', renderGrubConfig(step.menu), 0o600);
}

/** Puts the unit that reports the first boot in place, enabled. */
export async function writeFirstBoot(step: StepOf<'write-first-boot'>, context: InstallContext): Promise<void> {
  const files = rootFiles(context.target);
  const { server, session, order, digest } = step;
  await files.write(firstBootPaths.script, renderFirstBootScript({ server, session, order, digest }), 0o755);
  await files.write(firstBootPaths.unit, renderFirstBootUnit());
  await files.remove(firstBootPaths.wanted);
  await files.makeDirectory(firstBootPaths.wanted.slice(0, firstBootPaths.wanted.lastIndexOf('/')));
  await symlink(`/${firstBootPaths.unit}`, await files.resolve(firstBootPaths.wanted));
}
