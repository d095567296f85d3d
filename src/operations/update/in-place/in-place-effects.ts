import { displayPath } from '../../../foundation/brand.ts';
import {
  chooseServices,
  type ServiceChoice,
  unitOfConfiguration,
  unitOfPath,
} from '../../../machine/changed-services.ts';
import { rebootReasons } from '../../../planning/reboot-reasons.ts';
import { runningUnits, usersOf } from '../../../system/running-services.ts';
import type { InPlacePlan } from './in-place-plan.ts';

/** What an update in place means for what runs. */
export interface InPlaceEffects {
  /** Why the machine must restart; empty: it need not. */
  reasons: string[];
  services: ServiceChoice;
}

export interface KernelChange {
  /** `uname -r`, and that of the new version. */
  running: string;
  next: string;
  /** Whether its file or its initial RAM disk is another one. */
  fileChanged: boolean;
}

/** What a plan would mean: which services use files that it changes, or are defined by some, and why the machine would have to restart. */
export async function inPlaceEffects(plan: InPlacePlan, kernel: KernelChange): Promise<InPlaceEffects> {
  const files = plan.paths.filter(({ directory, wanted }) => !directory && wanted?.type !== 'directory');
  const paths = files.map(({ path }) => displayPath(path));
  const replaced = new Set(files.filter(({ present }) => present).map(({ path }) => `/${displayPath(path)}`));
  const users = await usersOf(replaced);
  const units = new Set(users.map(({ unit }) => unit).filter((unit) => unit !== undefined));
  const running = await runningUnits();
  for (const path of paths) {
    for (const unit of [unitOfPath(path), unitOfConfiguration(path)]) {
      if (unit !== undefined && running.has(unit)) units.add(unit);
    }
  }
  const reasons = rebootReasons({
    paths,
    usedByInit: users.find(({ pid }) => pid === 1)?.files ?? [],
    runningKernel: kernel.running,
    newKernel: kernel.next,
    kernelFileChanged: kernel.fileChanged,
  });
  return { reasons, services: chooseServices(units) };
}
