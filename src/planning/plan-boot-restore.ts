import type { BootArea, BootCopy, BootPart, BootVolume } from '../contract/boot-copy.ts';
import { ImprintError } from '../foundation/errors.ts';
import { areaName } from '../machine/boot-copy-words.ts';
import type { AreaFacts, BootFacts, VolumeFacts } from './boot-facts.ts';
import { mismatch, type TableState, tableChanges, tableState } from './match-boot-copy.ts';

/** One write of a restore. Each may be repeated without harm. */
export type RestoreStep =
  | { kind: 'write-area'; area: BootArea }
  /** The whole file system as it was, but for what nobody used. */
  | { kind: 'rebuild-volume'; volume: BootVolume }
  | { kind: 'write-files'; volume: BootVolume; paths: string[] }
  | { kind: 'write-variables'; names: string[] };

export interface RestorePlan {
  kind: 'plan';
  steps: RestoreStep[];
  /** What differs and stays as it is, and why. */
  left: string[];
}
export type RestoreAnswer = RestorePlan | { kind: 'refused'; error: ImprintError };

export interface RestoreWish {
  copy: BootCopy;
  /** For messages: the copy's file. */
  file: string;
  /** Only these, and these for certain; absent: all that can go back without a doubt. */
  parts?: readonly BootPart[];
  force: boolean;
}

/**
 * What is written to bring back a safety copy: what is pointed to before what points to it, the first sector last. Without `parts`, what cannot go
 * back without a doubt is left, and said; a part that was asked for by name goes back or the whole is refused. A table that is there and
 * whole is replaced only by name, and never under another file system's feet. Pure.
 *
 * Refusals: `boot-copy-foreign`, `boot-restore-refused`.
 */
export function planBootRestore(wish: RestoreWish, facts: BootFacts): RestoreAnswer {
  const { copy, file, force } = wish;
  const foreign = mismatch(copy, facts, force);
  if (foreign !== undefined) {
    return refused(new ImprintError('boot-copy-foreign', { file, disk: facts.disk.path, problem: foreign }));
  }
  const planner = new Planner(wish, facts);
  const problem = planner.plan();
  if (problem !== undefined) {
    const details = { file, disk: facts.disk.path, problem: problem.problem, hint: problem.hint };
    return refused(new ImprintError('boot-restore-refused', details));
  }
  return { kind: 'plan', steps: planner.steps, left: planner.left };
}

/** A step in words, for the plan and the report. */
export function describeRestoreStep(step: RestoreStep): string {
  switch (step.kind) {
    case 'write-area':
      return `write ${areaName(step.area)} (${step.area.length} bytes at ${step.area.offset})`;
    case 'rebuild-volume':
      return `make the ESP, partition ${step.volume.partition}, anew as it was (${step.volume.files.length} files)`;
    case 'write-files':
      return `put back on the ESP, partition ${step.volume.partition}: ${step.paths.join(', ')}`;
    case 'write-variables':
      return `set the firmware’s ${step.names.join(', ')}`;
  }
}

interface Problem {
  problem: string;
  hint: string;
}

/** Below this, files are Windows' own: it changes them itself, and what it has there now is newer. */
const windowsFolder = /^efi\/microsoft\//i;

class Planner {
  readonly steps: RestoreStep[] = [];
  readonly left: string[] = [];
  readonly #wish: RestoreWish;
  readonly #facts: BootFacts;
  readonly #state: TableState;

  constructor(wish: RestoreWish, facts: BootFacts) {
    this.#wish = wish;
    this.#facts = facts;
    this.#state = isRemnant(wish.copy, facts) ? 'absent' : tableState(wish.copy.table, facts.table);
  }

  plan(): Problem | undefined {
    const { copy, parts } = this.#wish;
    const unknown = parts?.find((part) => !holds(copy, part));
    if (unknown !== undefined) {
      return { problem: `the copy holds no ${unknown}`, hint: 'See what it holds: imprint boot check FILE' };
    }
    const problems = [
      ...this.#facts.volumes.map((volume) => this.#volume(volume)),
      ...this.#areas('esp'),
      ...this.#areas('bios-boot'),
      ...this.#areas('gap'),
      this.#table(),
      ...this.#areas('code'),
      this.#variables(),
    ];
    return problems.find((problem) => problem !== undefined);
  }

  #wants(part: BootPart): boolean {
    return this.#wish.parts?.includes(part) ?? true;
  }

  /** Leaves a part as it is, or refuses the whole where it was asked for by name. */
  #leave(part: BootPart, problem: string, hint: string): Problem | undefined {
    if (this.#wish.parts?.includes(part)) return { problem, hint };
    this.left.push(`${problem}. ${hint}`);
    return undefined;
  }

  #volume(now: VolumeFacts): Problem | undefined {
    const { copy, parts, force } = this.#wish;
    const volume = copy.volumes.find(({ partition }) => partition === now.partition);
    if (volume === undefined || !this.#wants('esp')) return undefined;
    const name = `the ESP, partition ${volume.partition},`;
    const moved = this.#displaced(volume.partition);
    const differs = now.state !== 'there' || now.missing.length > 0 || now.changed.length > 0;
    if (!differs) return undefined;
    if (moved !== undefined)
      return this.#leave('esp', `${name} ${moved}`, 'Put its files back by hand; they are in the copy.');
    const place = this.#facts.places.find(({ number }) => number === volume.partition);
    if (now.state === 'gone' && place?.holds === 'other' && !force && !parts?.includes('esp')) {
      return this.#leave('esp', `${name} holds ${place.now} now, which stays`, 'To replace it: --parts esp');
    }
    if (now.state === 'other' && !force && !parts?.includes('esp')) {
      const holds = `holds another file system now (${now.volumeId}, ${files(now.files)}), which stays`;
      return this.#leave('esp', `${name} ${holds}`, 'To replace it: --parts esp');
    }
    const mounted = this.#mounted(volume.offset, `${name} `);
    if (mounted !== undefined) return mounted;
    if (now.state !== 'there') {
      this.steps.push({ kind: 'rebuild-volume', volume });
      return undefined;
    }
    const kept = now.changed.filter((path) => windowsFolder.test(path));
    if (kept.length > 0)
      this.left.push(`${files(kept.length)} below EFI/Microsoft changed: they are Windows’ own, and stay.`);
    const paths = [...now.missing, ...now.changed.filter((path) => !windowsFolder.test(path))].sort();
    if (paths.length > 0) this.steps.push({ kind: 'write-files', volume, paths });
    return undefined;
  }

  /** A file system must not change under the kernel that has it mounted. */
  #mounted(offset: number, name: string): Problem | undefined {
    const [point] = this.#facts.kernel.find(({ start }) => start === offset)?.mountPoints ?? [];
    if (point === undefined) return undefined;
    const hint = `Unmount it (umount ${point}), restore, mount it again; or leave it out: --parts code,gap,bios-boot`;
    return { problem: `${name}is mounted on ${point}`, hint };
  }

  #areas(part: 'esp' | 'bios-boot' | 'gap' | 'code'): (Problem | undefined)[] {
    if (!this.#wants(part)) return [];
    return this.#differing(part).map(({ area }) => {
      const problem = this.#displacedArea(area);
      if (problem !== undefined) {
        return this.#leave(part, `${areaName(area)} ${problem}`, 'It can go back once the old table is: --parts table');
      }
      const start = this.#wish.copy.table.partitions.find(({ number }) => number === numberOf(area))?.start;
      const mounted = start === undefined ? undefined : this.#mounted(start, `partition ${numberOf(area)} `);
      if (mounted !== undefined) return mounted;
      this.steps.push({ kind: 'write-area', area });
      return undefined;
    });
  }

  #table(): Problem | undefined {
    const { copy, force, parts } = this.#wish;
    const { disk, places, table, kernel, problems } = this.#facts;
    const ranges = this.#differing('table');
    if (ranges.length === 0 || !this.#wants('table')) return undefined;
    const asked = parts?.includes('table') ?? false;
    if (disk.size !== copy.disk.size) {
      return this.#leave(
        'table',
        'the disk had another size, so its table cannot go back',
        'Mend it with sgdisk or sfdisk.',
      );
    }
    if (this.#state === 'same' && problems.length === 0 && !asked) {
      const words =
        'the partition table says the same in other bytes (rows of an MBR beside the GPT, a mark of somebody), and stays';
      return this.#leave('table', words, 'The old bytes: --parts table');
    }
    if (this.#state === 'changed' && !asked) {
      const changes = tableChanges(copy.table, table).join('; ');
      return this.#leave(
        'table',
        `the partition table is another now (${changes}), and stays`,
        'The old one: --parts table',
      );
    }
    // An ESP is brought back itself.
    const own = copy.volumes.map(({ partition }) => partition);
    const others = places.filter(({ number, holds: what }) => what === 'other' && !own.includes(number));
    if (this.#state !== 'same' && others.length > 0 && !(force && asked)) {
      const words = others.map(({ number, was, now }) => `where partition ${number} had ${was}, there is ${now}`);
      const problem = `the partition table is of another time: ${words.join('; ')}`;
      return this.#leave('table', problem, 'If it is what you want all the same: --parts table --force');
    }
    const busy = kernel.filter(({ mountPoints }) => mountPoints.length > 0);
    const strange = busy.filter(
      (seen) =>
        !copy.table.partitions.some(
          ({ number, start, size }) => number === seen.number && start === seen.start && size === seen.size,
        ),
    );
    const [first] = strange;
    if (first !== undefined) {
      const problem = `${first.device} is mounted on ${first.mountPoints[0]}, and the copy’s table has no such partition`;
      return this.#leave('table', problem, 'Restore it from another system: a rescue medium, the imager.');
    }
    for (const { area } of ranges) this.steps.push({ kind: 'write-area', area });
    return undefined;
  }

  #variables(): Problem | undefined {
    const { copy, force } = this.#wish;
    const { variables, machine } = this.#facts;
    if (copy.variables.length === 0 || !this.#wants('variables')) return undefined;
    if (variables === undefined) {
      const hint = 'Boot the rescue system by UEFI, and restore from there.';
      return this.#leave('variables', 'this system was not started by UEFI, so boot variables cannot be set', hint);
    }
    const names = [...variables.missing, ...variables.changed];
    if (names.length === 0) return undefined;
    if (copy.machine.uuid !== machine.uuid && !force) {
      return this.#leave(
        'variables',
        'the boot variables are those of another machine',
        'All the same: --parts variables --force',
      );
    }
    this.steps.push({ kind: 'write-variables', names });
    return undefined;
  }

  #differing(part: BootArea['part']): AreaFacts[] {
    return this.#facts.areas.filter(({ area, differs }) => area.part === part && differs !== undefined);
  }

  /** Whether the copy's own table is what counts once this plan is done. */
  #tableReturns(): boolean {
    if (this.#state === 'same') return true;
    return this.#wants('table') && (this.#state === 'absent' || (this.#wish.parts?.includes('table') ?? false));
  }

  /** Why a partition is not where the copy had it. */
  #displaced(number: number): string | undefined {
    if (this.#tableReturns()) return undefined;
    const was = this.#wish.copy.table.partitions.find((each) => each.number === number);
    if (was === undefined) return 'is not in the copy’s own table';
    if (this.#state === 'absent') return undefined;
    const there = this.#facts.table.partitions.some(
      ({ start, size, type }) => start === was.start && size === was.size && type === was.type,
    );
    return there ? undefined : 'is not where it was when the copy was made';
  }

  #displacedArea(area: BootArea): string | undefined {
    const { part, offset, length } = area;
    if (part === 'bios-boot' || part === 'esp') return this.#displaced(numberOf(area));
    if (this.#tableReturns()) return undefined;
    const { label, partitions } = this.#facts.table;
    if (label !== 'none' && label !== this.#wish.copy.table.label) return 'is of a disk with another kind of table';
    if (part === 'code') return undefined;
    const over = partitions.find(({ start, size }) => start < offset + length && start + size > offset);
    return over === undefined ? undefined : `reaches into partition ${over.number} as it is now`;
  }
}

/** Of a damaged table some rows are left, each as the copy has it: the rest is lost, not given away. */
function isRemnant({ table: was }: BootCopy, { table: is, problems }: BootFacts): boolean {
  if (problems.length === 0 || is.label !== was.label || is.id !== was.id || is.hash === was.hash) return false;
  const key = ({ number, start, size, type }: BootCopy['table']['partitions'][number]) =>
    [number, start, size, type].join();
  const known = new Set(was.partitions.map(key));
  return is.partitions.length < was.partitions.length && is.partitions.every((row) => known.has(key(row)));
}

/** Of an area that lies in a partition: `partition-2`, `esp-1-run-3`; else 0, which none has. */
function numberOf({ part, name }: BootArea): number {
  return part === 'bios-boot' || part === 'esp' ? Number(/\d+/.exec(name)?.[0] ?? 0) : 0;
}

function holds(copy: BootCopy, part: BootPart): boolean {
  if (part === 'esp') return copy.volumes.length > 0 || copy.areas.some((area) => area.part === 'esp');
  if (part === 'variables') return copy.variables.length > 0;
  return copy.areas.some((area) => area.part === part);
}

function files(count: number): string {
  return `${count} file${count === 1 ? '' : 's'}`;
}

function refused(error: ImprintError): RestoreAnswer {
  return { kind: 'refused', error };
}
