import type { UpdatePlan } from '../../contract/update.ts';
import type { Digest } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import { readImageContent } from '../../machine/image-content.ts';
import type { Store, StoredVersion } from '../../store/store.ts';
import { ChunkContents } from '../chunk-contents.ts';
import { describeDrift } from './drift.ts';
import { inPlaceEffects } from './in-place/in-place-effects.ts';
import type { SlotVersion } from './slot-version.ts';
import type { UpdateContent } from './update-content.ts';
import { planChanges } from './update-in-place.ts';
import type { UpdateWork } from './update-work.ts';

/** What an update in place would change here, by what runs now: files, local changes in the way, services, reasons to restart. Nothing is fetched to the disk. */
export async function previewInPlace(
  work: UpdateWork & { base: SlotVersion },
  task: Task,
): Promise<
  Pick<UpdatePlan, 'files' | 'drift' | 'services' | 'problems'> & {
    reasons: string[];
    kernel: string;
    kernelFileChanged: boolean;
  }
> {
  const { source, view } = work;
  await using content = contentInStore(source.store, source.version);
  const plan = await planChanges({ ...work, task }, content);
  const [kernel] = (await readImageContent(content.entries())).kernels;
  const names = [`boot/${kernel?.kernel}`, `boot/${kernel?.initrd}`];
  const kernelFileChanged = plan.paths.some(({ path }) => names.includes(path));
  const effects = await inPlaceEffects(plan, {
    running: view.running?.kernelVersion ?? '',
    next: kernel?.version ?? '',
    fileChanged: kernelFileChanged,
  });
  const { added, changed, removed } = plan.counts;
  return {
    files: { added, changed, removed },
    drift: plan.drift.map(describeDrift),
    services: [...effects.services.restart, ...effects.services.afterReboot],
    problems: plan.problems,
    reasons: effects.reasons,
    kernel: kernel?.version ?? '',
    kernelFileChanged,
  };
}

/** A version as it lies in its store; what little content a plan needs (to merge configuration) comes from there. */
function contentInStore(store: Store, version: StoredVersion): UpdateContent {
  const { record, recordText, signature } = version;
  const digest = record.digest as Digest;
  const contents = new ChunkContents(store, digest);
  return {
    ...{ record, recordText, digest, manifestFile: '', transferred: { bytes: 0, requests: 0 } },
    ...(signature === undefined ? {} : { signature }),
    entries: () => store.entries(digest),
    content: (name) => contents.readNamed(name),
    [Symbol.asyncDispose]: async () => {},
  };
}
