import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decideBoot } from '../../src/machine/decide-boot.ts';
import type { CutDisks } from './cut-disks.ts';
import type { Cut, Region } from './cut-plan.ts';
import { type GrubView, grubView } from './grub-view.ts';
import { partitionPlaces } from './partition-file.ts';
import type { UpdateSubject, VersionName } from './update-subject.ts';

/** What a machine does after a cut. */
export interface Outcome {
  /** The version that boots; absent: none does, or not whole. */
  readonly version?: VersionName;
  readonly kind?: string;
  readonly problems: readonly string[];
}

/**
 * Says of a disk after a cut what boots, and whether it is whole: GRUB's view with GRUB's own code, the root as the kernel mounts it, and that
 * kernel and root are of one version. What was looked at once is not looked at again as long as no write has touched it.
 */
export class CutJudge {
  readonly #subject: UpdateSubject;
  readonly #cuts: CutDisks;
  readonly #versions: string;
  readonly #regions: ReadonlyMap<number, Region>;
  readonly #views = new Map<string, Promise<GrubView>>();
  readonly #roots = new Map<string, Promise<string[]>>();
  /** How many looks were taken: disks that differ in what matters. */
  looks = 0;

  private constructor(subject: UpdateSubject, cuts: CutDisks, versions: string, regions: ReadonlyMap<number, Region>) {
    this.#subject = subject;
    this.#cuts = cuts;
    this.#versions = versions;
    this.#regions = regions;
  }

  /** `base`: the disk that the cuts are made of. `versions`: the directory of the trees. */
  static async open(subject: UpdateSubject, cuts: CutDisks, base: string, versions: string): Promise<CutJudge> {
    const regions = new Map((await partitionPlaces(base)).map((place) => [place.number, place]));
    return new CutJudge(subject, cuts, versions, regions);
  }

  async judge(cut: Cut): Promise<Outcome> {
    // Made only where something of it was not seen before.
    await using disk = lazily(() => this.#cuts.make(cut));
    const view = await this.#view(disk.get, cut);
    const entries = view.entries.filter(({ offered }) => offered).map(({ id }) => id);
    const decision = decideBoot(view.pointer, view.tries, { entries });
    if (decision === undefined) return { problems: ['GRUB finds nothing to boot'] };
    const { kind } = decision;
    const seen = view.entries.find(({ id }) => id === decision.entry);
    const entry = seen?.entry;
    if (seen === undefined || entry === undefined) return { kind, problems: [`GRUB cannot read ${decision.entry}`] };
    const version = `v${entry.reference.split(':')[1]}`;
    const problems = kind === 'rescue' ? [`GRUB falls back to any entry: ${decision.entry}`] : [];
    for (const [name, hash] of Object.entries(entry.files)) {
      if (seen.files[name] !== hash) problems.push(`GRUB reads ${name} of ${entry.id} wrong`);
    }
    if (seen.files.vmlinuz !== (await this.#kernelOf(version)))
      problems.push(`the kernel of ${entry.id} is not ${version}’s`);
    problems.push(...(await this.#root(disk.get, cut, entry.slot, version)));
    return { version, kind, problems };
  }

  async #view(disk: () => Promise<string>, cut: Cut): Promise<GrubView> {
    const key = this.#cuts.keyOf(cut, this.#region(1));
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    this.looks += 1;
    const view = grubView(await disk(), 1);
    this.#views.set(key, view);
    return view;
  }

  async #root(disk: () => Promise<string>, cut: Cut, slot: string, version: VersionName): Promise<string[]> {
    const region = this.#region(this.#subject.partitionOf(slot));
    const key = `${slot} ${version} ${this.#cuts.keyOf(cut, region)}`;
    const known = this.#roots.get(key);
    if (known !== undefined) return known;
    this.looks += 1;
    const problems = this.#subject
      .problems(await disk(), slot, version)
      .catch((error: unknown) => [`the root of ${slot} does not mount: ${String(error).slice(0, 300)}`]);
    this.#roots.set(key, problems);
    return problems;
  }

  #region(number: number): Region {
    const region = this.#regions.get(number);
    if (region === undefined) throw new Error(`the disk has no partition ${number}`);
    return region;
  }

  async #kernelOf(version: VersionName): Promise<string> {
    const boot = join(this.#versions, version, 'boot');
    const name = (await readdir(boot)).find((each) => each.startsWith('vmlinuz-')) ?? '';
    return createHash('sha256')
      .update(await readFile(join(boot, name)))
      .digest('hex');
  }
}

function lazily(make: () => Promise<AsyncDisposable & { readonly path: string }>) {
  let made: ReturnType<typeof make> | undefined;
  return {
    get: async () => {
      made ??= make();
      return (await made).path;
    },
    async [Symbol.asyncDispose]() {
      await (await made)?.[Symbol.asyncDispose]();
    },
  };
}
