import type { VersionRecord } from '../contract/image.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { ImageContent } from '../machine/image-content.ts';
import type { InstalledStack } from '../machine/installed-stack.ts';
import { imageProblem } from './image-problem.ts';
import { installedStackProblem } from './stack-problem.ts';

/** What a machine asks of a version that it shall boot. */
export interface UpdateNeeds {
  machine: string;
  /** `uname -m`. */
  architecture: string;
  /** Drivers of its disk; `module`: it is one in the kernel that runs. */
  drivers: readonly { name: string; module: boolean }[];
  /** Kernel modules of the file system of the root, of the host partition, `loop`. */
  fileSystems: readonly string[];
  /** Whether the root is an image file, which only an initial RAM disk finds. */
  file: boolean;
  /** Whether the boot addition brings modules of `fileSystems` that the initial RAM disk lacks. */
  addition: boolean;
  /** What lies below its file systems. */
  stack?: InstalledStack;
}

/** What was found in a version beside its manifest. */
export interface UpdateImage {
  content: ImageContent;
  /** What the init and the kernel are for, where that can be told (`elfMachine`). */
  initMachine?: string;
  /** `kernel`: a kernel for x86_64, as far as its head tells; `other`: something else; absent: not looked at. */
  kernel?: 'kernel' | 'other';
  /** Modules of the kernel that would boot: in files, and built in; names as below `/sys/module`. Absent: it has no directory of modules. */
  modules?: { files: ReadonlySet<string>; builtIn: ReadonlySet<string> };
  /** What its initial RAM disk is; absent: it has none, or one that was not understood (`initrdUnknown`). */
  initrd?: { modules: ReadonlySet<string> };
  initrdUnknown?: boolean;
}

/** Something that speaks against booting a version; `fatal`: it would not come up. */
export interface UpdateProblem {
  fatal: boolean;
  error: ImprintError;
}

/** Why a version would not boot on a machine, or not be watched there. Empty: nothing is known against it. */
export function updateProblems(
  reference: string,
  record: VersionRecord,
  image: UpdateImage,
  needs: UpdateNeeds,
): UpdateProblem[] {
  const { machine, architecture } = needs;
  const problems: UpdateProblem[] = [];
  const add = (fatal: boolean, problem: string, hint: string) =>
    problems.push({ fatal, error: new ImprintError('image-unfit', { reference, machine, problem, hint }) });
  const first = imageProblem({ machine, architecture, reference, record, content: image.content });
  if (first !== undefined) return [{ fatal: true, error: first }];
  const { content, initMachine } = image;
  const unstacked = needs.stack && installedStackProblem({ name: machine, reference, content }, needs.stack);
  if (unstacked !== undefined) problems.push({ fatal: true, error: unstacked });
  if (
    initMachine !== undefined &&
    initMachine !== architecture &&
    !(initMachine === 'i686' && architecture === 'x86_64')
  ) {
    add(
      true,
      `its init /${content.init} is a program for ${initMachine}, and the machine is ${architecture}`,
      otherMachine,
    );
  }
  const [kernel] = content.kernels;
  if (image.kernel === 'other') {
    add(
      true,
      `/boot/${kernel?.kernel} is no Linux kernel for ${architecture}`,
      'Install a kernel on the golden machine again.',
    );
  }
  if (image.initrdUnknown === true) {
    const why = `its initial RAM disk /boot/${kernel?.initrd} was made by neither initramfs-tools nor dracut`;
    add(needs.file, why, 'Install one of them on the golden machine, and capture it again.');
  } else if (kernel?.initrd === undefined && needs.file) {
    add(true, 'its kernel has no initial RAM disk, without which no root in a file is found', initramfsHint);
  }
  for (const missing of missingModules(image, needs)) add(true, missing, initramfsHint);
  if (content.systemd && !content.runsNode) {
    add(
      false,
      'it lacks the C library that the agent needs',
      'It boots, commits and reverts itself by plain sh; update such a machine by installing it.',
    );
  }
  return problems;
}

const otherMachine = 'Capture a golden machine of the right architecture.';
const initramfsHint =
  'On the golden machine put MODULES=most into /etc/initramfs-tools/initramfs.conf and run update-initramfs -u (with dracut: dracut --force --no-hostonly), then capture it again.';

function missingModules(image: UpdateImage, needs: UpdateNeeds): string[] {
  const { modules, initrd, content } = image;
  const [kernel] = content.kernels;
  if (modules === undefined || image.initrdUnknown === true) return [];
  const hasInitrd = kernel?.initrd !== undefined && initrd !== undefined;
  const where = hasInitrd
    ? `its initial RAM disk lacks`
    : `its kernel ${kernel?.version} has no initial RAM disk, and not built in`;
  const ready = (name: string) => modules.builtIn.has(name) || (hasInitrd && initrd.modules.has(name));
  const problems: string[] = [];
  for (const { name, module } of needs.drivers) {
    // The name of a driver that is built in here need not be that of a module there.
    if (ready(name) || (!module && !modules.files.has(name))) continue;
    problems.push(
      modules.files.has(name)
        ? `${where} the module ${name}, through which this machine reaches its disk`
        : `its kernel ${kernel?.version} has no driver ${name}, through which this machine reaches its disk`,
    );
  }
  for (const name of needs.fileSystems) {
    if (ready(name) || (needs.addition && hasInitrd && modules.files.has(name))) continue;
    problems.push(
      modules.files.has(name)
        ? `${where} the module ${name}, which it needs to mount its root`
        : `its kernel ${kernel?.version} knows no ${name}, which it needs to mount its root`,
    );
  }
  return problems;
}
