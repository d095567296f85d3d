import type { z } from 'zod';
import type { LayoutFileSystem, LayoutRole } from '../../contract/layout.ts';
import type { LayoutSolutionValue, layoutSolve, SolvedDiskValue } from '../../contract/operations/layouts.ts';
import { describePartition } from '../../machine/partition-kind.ts';
import { partitionPath } from '../../machine/partition-table.ts';
import { layoutNeeds, noNeeds } from '../../planning/layout-needs.ts';
import type { LayoutSolution, SolvedDisk } from '../../planning/layout-solution.ts';
import { solveLayout } from '../../planning/solve-layout.ts';
import type { Context } from '../context.ts';
import { findLayout, isImageLayout } from './find-layout.ts';

/**
 * What a layout means on some disks. Nothing is touched, so it does not matter whether they are in use now: that is said, and an install asks
 * again. Errors: those of `layoutSolve`.
 */
export async function solveNamedLayout(
  context: Context,
  input: z.output<typeof layoutSolve.input>,
): Promise<LayoutSolutionValue> {
  const { machine, firmware } = input;
  // Of an image's own layout its own version is what must have room.
  const image = input.image ?? (isImageLayout(input) ? input.name : undefined);
  const layout = await findLayout(context, input);
  const version = image === undefined ? undefined : await (await context.store()).find(image);
  const needs =
    version === undefined ? noNeeds : layoutNeeds(layout, version.record.stats, version.record.source.fileSystems);
  const reference = version === undefined ? 'the layout' : `${version.record.image}:${version.record.number}`;
  const disks = input.disks.map((disk) => ({ ...disk, inUse: [] }));
  const answer = solveLayout({ layout, disks, firmware, needs, machine, reference });
  if (answer.kind === 'refused') throw answer.error;
  const used = input.disks.filter(
    ({ path, inUse }) => inUse.length > 0 && answer.solution.disks.some(({ facts }) => facts.path === path),
  );
  const value = solutionValue(answer.solution);
  return {
    machine,
    ...(version === undefined ? {} : { reference }),
    ...value,
    notes: [
      ...value.notes,
      ...used.map(({ path, inUse }) => `${path} is in use now (${inUse.join('; ')}): an install would refuse it`),
    ],
  };
}

/** A solution as it is told: sizes in bytes, file systems by what people ask of them. */
function solutionValue(solution: LayoutSolution): Omit<LayoutSolutionValue, 'machine' | 'reference'> {
  const { raids, crypts, groups, mounts, lost, notes } = solution;
  return {
    disks: solution.disks.map(diskValue),
    raids: raids.map(({ name, level, members, missing, device, size, ...more }) => ({
      ...{ name, level, members, missing, device, size },
      ...contentValue(more),
    })),
    crypts: crypts.map(({ name, on, unlock, device, size, ...more }) => ({
      ...{ name, on, unlock, device, size },
      ...contentValue(more),
    })),
    volumeGroups: groups.map(({ name, physicalVolumes, size, free, volumes }) => ({
      ...{ name, physicalVolumes, size, free },
      volumes: volumes.map(({ name: volume, device, size: bytes, thinPool, pool, ...more }) => ({
        ...{ name: volume, device, size: bytes },
        ...(thinPool ? { thinPool } : {}),
        ...(pool === undefined ? {} : { pool }),
        ...contentValue(more),
      })),
    })),
    mounts,
    lost,
    notes,
  };
}

function diskValue({ name, facts, table, tableKept, partitions }: SolvedDisk): SolvedDiskValue {
  return {
    ...{ name, before: facts, table, tableKept },
    partitions: partitions.map((partition) => ({
      ...(partition.name === undefined ? {} : { name: partition.name }),
      number: partition.number,
      device: partitionPath(facts.path, partition.number),
      start: partition.start * facts.sectorSize,
      size: partition.size * facts.sectorSize,
      type: partition.type,
      ...(partition.kept === undefined ? {} : { kept: describePartition(partition.kept) }),
      ...(partition.extended ? { extended: true } : {}),
      ...(partition.active ? { active: true } : {}),
      ...contentValue({
        role: partition.role,
        fileSystem: partition.fileSystem ?? (partition.kept && partition.entry?.fileSystem),
      }),
    })),
  };
}

function contentValue({
  role,
  fileSystem,
}: {
  role?: LayoutRole | undefined;
  fileSystem?: LayoutFileSystem | undefined;
}) {
  const mounted = fileSystem?.mount ?? fileSystem?.subvolumes.find(({ mount }) => mount !== undefined)?.mount;
  return {
    ...(role === undefined ? {} : { role }),
    ...(fileSystem === undefined
      ? {}
      : {
          fileSystem: {
            type: fileSystem.type,
            ...(fileSystem.label === undefined ? {} : { label: fileSystem.label }),
            ...(mounted === undefined ? {} : { mount: mounted }),
          },
        }),
  };
}
