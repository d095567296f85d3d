import type { z } from 'zod';
import type { InstallOptions } from '../contract/machine.ts';
import type { installPlan, PlannedInstall } from '../contract/operations/installs.ts';
import type { Script } from '../contract/scripts.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type ImageContent, readImageContent } from '../machine/image-content.ts';
import type { MachineRecord } from '../machine/machine-state.ts';
import { planInstall } from '../planning/plan-install.ts';
import { describeStep } from '../planning/step.ts';
import type { StoredVersion } from '../store/store.ts';
import { scriptReader } from './change-scripts.ts';
import type { Context } from './context.ts';
import { findMachines } from './find-machines.ts';
import { freshIdentity } from './install/fresh-identity.ts';
import { resolveInstallable } from './resolve-installable.ts';
import { objectForInstall } from './server-objects.ts';
import { scriptsFor } from './server-scripts.ts';
import { changeOptions } from './set-machines.ts';

type Input = z.output<typeof installPlan.input>;

interface Wanted {
  version: StoredVersion;
  image: string;
  content: ImageContent;
}

/**
 * What an install of each machine would do: the same plan that the imager makes, from the facts that the machine last told.
 * The imager plans again with what it finds, so that a disk added since is noticed before anything is written.
 */
export async function planInstalls(context: Context, input: Input): Promise<z.input<typeof installPlan.output>> {
  const wanted = new Map<string, Wanted>();
  const plans: PlannedInstall[] = [];
  for (const machine of await findMachines((await context.database()).machines, input.machines)) {
    const reference = input.image ?? machine.image;
    if (reference === undefined) {
      const problem = `${machine.name} has no image; say which one to install`;
      throw new ImprintError('input-invalid', { field: 'image', problem });
    }
    const found = wanted.get(reference) ?? (await look(context, reference));
    wanted.set(reference, found);
    const object = await objectForInstall(context, machine);
    plans.push(
      planOne(
        machine,
        found,
        input,
        object?.number,
        await scriptsFor(context.paths, scriptReader(machine, found.image)),
      ),
    );
  }
  return { plans };
}

async function look(context: Context, reference: string): Promise<Wanted> {
  const { image } = await resolveInstallable(context, reference);
  const store = await context.store();
  const version = await store.find(reference);
  return { version, image, content: await readImageContent(store.entries(version.record.digest as Digest)) };
}

function planOne(
  machine: MachineRecord,
  { version, image, content }: Wanted,
  input: Input,
  object: number | undefined,
  scripts: readonly Script[],
): PlannedInstall {
  const known: PlannedInstall = {
    machine: machine.name,
    image,
    digest: version.record.digest,
    ...(machine.installed ? { installed: machine.installed.image } : {}),
    steps: [],
  };
  if (!machine.approved) {
    return { ...known, refused: new ImprintError('machine-not-approved', { machine: machine.name }).toValue() };
  }
  if (!machine.facts) return known;
  const plan = planInstall({
    name: machine.name,
    facts: machine.facts,
    reference: image,
    record: version.record,
    content,
    options: changeOptions(machine.options, optionsOf(input)),
    fresh: freshIdentity(),
    report: { server: 'http://localhost', order: '', session: '' },
    remote: true,
    ...(object === undefined ? {} : { object }),
    keepsBoot: 'server',
    scripts,
    groups: machine.groups ?? [],
  });
  if (plan.kind === 'refused') return { ...known, refused: plan.error.toValue() };
  return {
    ...known,
    disk: plan.disk,
    ...(plan.others.length > 0 && { others: plan.others }),
    lost: plan.lost,
    steps: plan.steps.map(describeStep),
  };
}

/** The options that were given; one that was not must not take the machine's own away. */
function optionsOf({
  machines: _machines,
  image: _image,
  ownName = 'layout',
  ownText,
  ...options
}: Input): InstallOptions {
  return ownText === undefined ? options : { ...options, own: { name: ownName, text: ownText } };
}
