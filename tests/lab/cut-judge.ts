import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootEntry } from '../../src/machine/boot-pointer.ts';
import { decideBoot } from '../../src/machine/decide-boot.ts';
import type { InstalledLayout } from '../../src/machine/installed-layout.ts';
import type { CutDisks } from './cut-disks.ts';
import type { Cut, Region } from './cut-plan.ts';
import { type GrubView, grubView } from './grub-view.ts';
import { bringAsInitramfs } from './in-place-boot.ts';
import { mountFile, type PartitionPlace, partitionPlaces } from './partition-file.ts';
import { bootPartitionNumber } from './simulated-machine.ts';
import { treeProblems } from './tree-problems.ts';

/** What a machine does after a cut. */
export interface Outcome {
  /** The version that boots; absent: none does, or not whole. */
  readonly version?: string;
  readonly kind?: string;
  readonly problems: readonly string[];
}

/**
 * Says of a disk after a cut what boots, and whether it is whole: GRUB's view with GRUB's own code, the root as the kernel mounts it, and that
 * kernel and root are of one version. What was looked at once is not looked at again as long as no write has touched it.
 */
export class CutJudge {
  readonly #cuts: CutDisks;
  readonly #layout: InstalledLayout;
  readonly #versions: ReadonlyMap<string, string>;
  readonly #places: readonly PartitionPlace[];
  readonly #views = new Map<string, Promise<GrubView>>();
  readonly #roots = new Map<string, Promise<string[]>>();
  /** How many looks were taken: disks that differ in what matters. */
  looks = 0;

  private constructor(
    cuts: CutDisks,
    layout: InstalledLayout,
    versions: ReadonlyMap<string, string>,
    places: readonly PartitionPlace[],
  ) {
    this.#cuts = cuts;
    this.#layout = layout;
    this.#versions = versions;
    this.#places = places;
  }

  /** `base`: the disk that the cuts are made of. `versions`: the tree of each reference (`web:2`). */
  static async open(
    cuts: CutDisks,
    base: string,
    layout: InstalledLayout,
    versions: ReadonlyMap<string, string>,
  ): Promise<CutJudge> {
    return new CutJudge(cuts, layout, versions, await partitionPlaces(base));
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
    const version = entry.reference;
    const problems = kind === 'rescue' ? [`GRUB falls back to any entry: ${decision.entry}`] : [];
    for (const [name, hash] of Object.entries(entry.files)) {
      if (seen.files[name] !== hash) problems.push(`GRUB reads ${name} of ${entry.id} wrong`);
    }
    if (seen.files.vmlinuz !== (await this.#kernelOf(version)))
      problems.push(`the kernel of ${entry.id} is not ${version}’s`);
    problems.push(...(await this.#root(disk.get, cut, entry)));
    return { version, kind, problems };
  }

  async #view(disk: () => Promise<string>, cut: Cut): Promise<GrubView> {
    const key = this.#cuts.keyOf(cut, this.#place(bootPartitionNumber));
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    this.looks += 1;
    const view = grubView(await disk(), bootPartitionNumber);
    this.#views.set(key, view);
    return view;
  }

  async #root(disk: () => Promise<string>, cut: Cut, entry: BootEntry): Promise<string[]> {
    const place = this.#partitionOf(entry);
    const key = `${entry.id} ${this.#cuts.keyOf(cut, place)}`;
    const known = this.#roots.get(key);
    if (known !== undefined) return known;
    this.looks += 1;
    const problems = this.#rootProblems(await disk(), place, entry).catch((error: unknown) => [
      `the root of ${entry.id} does not mount: ${String(error).slice(0, 300)}`,
    ]);
    this.#roots.set(key, problems);
    return problems;
  }

  /** As the kernel mounts it, which carries journals on, and its initramfs brings it to the version that the entry is of. */
  async #rootProblems(disk: string, place: PartitionPlace, entry: BootEntry): Promise<string[]> {
    const expected = this.#treeOf(entry.reference);
    const fileSystem = this.#layout.host?.fileSystem ?? this.#layout.slots[0]?.fileSystem;
    await using mounted = await mountFile(disk, place, fileSystem === 'xfs' ? ['nouuid'] : []);
    const image = entry.kernelOptions.find((word) => word.startsWith('imprint.image='))?.split('=')[1];
    if (image === undefined) {
      await bringAsInitramfs(entry, mounted.path);
      return await treeProblems(expected, mounted.path);
    }
    await using root = await mountFile(join(mounted.path, image));
    return await treeProblems(expected, root.path);
  }

  #partitionOf({ slot }: BootEntry): PartitionPlace {
    const { host, slots } = this.#layout;
    const uuid = host?.partitionUuid ?? slots.find(({ name }) => name === slot)?.partitionUuid;
    const place = this.#places.find((each) => each.uuid === uuid?.toLowerCase());
    if (place === undefined) throw new Error(`the disk has no partition of the slot ${slot}`);
    return place;
  }

  #place(number: number): Region {
    const place = this.#places.find((each) => each.number === number);
    if (place === undefined) throw new Error(`the disk has no partition ${number}`);
    return place;
  }

  #treeOf(reference: string): string {
    const tree = this.#versions.get(reference);
    if (tree === undefined) throw new Error(`nobody knows ${reference}`);
    return tree;
  }

  async #kernelOf(reference: string): Promise<string> {
    const boot = join(this.#treeOf(reference), 'boot');
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
