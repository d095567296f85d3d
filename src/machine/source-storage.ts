import { z } from 'zod';
import type { SourceStorage, StorageDevice } from '../contract/storage.ts';
import { parseFstab } from './fstab-entries.ts';
import { totalMemory } from './machine-facts.ts';

/** What a golden machine says of its storage (`golden-questions.ts`); what it could not say is empty. Text is UTF-8. */
export interface StorageAnswers {
  /** `lsblk --json --bytes --output-all`. */
  lsblk: string;
  /** `md NAME LEVEL DISKS METADATA CHUNK` and `member ARRAY DEVICE STATE` from /sys, `title NAME ARRAY` from /dev/md. */
  md: string;
  /** `vgs` and `lvs` with `--reportformat json --units b --nosuffix`, one after the other. */
  lvm: string;
  crypttab: string;
  fstab: string;
  /** `/proc/swaps`. */
  swaps: string;
  /** `NAME BYTES` for each zram device that is used as swap. */
  zram: string;
  meminfo: string;
}

/** How the storage of a machine is put together; undefined where it did not even tell its devices. */
export function parseStorage(answers: StorageAnswers): SourceStorage | undefined {
  const devices = parseDevices(answers.lsblk);
  if (devices.length === 0) return undefined;
  const { groups, volumes } = parseLvm(answers.lvm);
  const zram = sum(lines(answers.zram).map((fields) => Number(fields[1])));
  const memory = totalMemory(answers.meminfo);
  return {
    devices,
    arrays: parseArrays(answers.md),
    groups,
    volumes,
    crypts: parseCrypttab(answers.crypttab),
    mounts: parseFstab(answers.fstab)
      .filter(({ device, type }) => device !== undefined || type === 'swap')
      .map(({ spec, mountPoint, type, options }) => ({ spec, mountPoint, type, options })),
    swapFiles: lines(answers.swaps).flatMap(([path, type, kibibytes]) =>
      type === 'file' && path !== undefined ? [{ path, size: Number(kibibytes) * 1024 }] : [],
    ),
    ...(zram > 0 ? { zram } : {}),
    ...(memory > 0 ? { memory } : {}),
  };
}

const text = z.string().nullish().catch(undefined);
const nodeSchema = z.looseObject({
  name: z.string(),
  kname: text,
  path: text,
  type: text,
  size: z.union([z.number(), z.string()]).nullish(),
  fstype: text,
  fsver: text,
  label: text,
  uuid: text,
  partuuid: text,
  partlabel: text,
  mountpoint: text,
  mountpoints: z.array(z.string().nullable()).nullish().catch(undefined),
  rm: z.union([z.boolean(), z.string(), z.number()]).nullish(),
  children: z.array(z.unknown()).optional(),
});

/** Every device once, those below first; an array stands below each of its members in lsblk's tree. */
function parseDevices(json: string): StorageDevice[] {
  const found = new Map<string, StorageDevice>();
  const add = (value: unknown, below: string | undefined) => {
    const node = nodeSchema.safeParse(value);
    if (!node.success) return;
    const { data } = node;
    const known = found.get(data.name);
    if (known !== undefined) {
      if (below !== undefined && !known.on.includes(below)) known.on.push(below);
      return;
    }
    const mountPoints = [...(data.mountpoints ?? []), data.mountpoint].filter((point) => typeof point === 'string');
    found.set(data.name, {
      name: data.name,
      path: data.path ?? `/dev/${data.name}`,
      type: data.type ?? 'unknown',
      size: Number(data.size ?? 0),
      on: below === undefined ? [] : [below],
      ...filled({ fileSystem: data.fstype, version: data.fsver, label: data.label, uuid: data.uuid }),
      ...filled({ partitionUuid: data.partuuid, partitionName: data.partlabel }),
      mountPoints: [...new Set(mountPoints)],
      ...(data.rm === true || data.rm === 1 || data.rm === '1' ? { removable: true } : {}),
    });
    for (const child of data.children ?? []) add(child, data.name);
  };
  const root = z.looseObject({ blockdevices: z.array(z.unknown()) }).safeParse(parseJson(json));
  if (root.success) for (const device of root.data.blockdevices) add(device, undefined);
  return [...found.values()].filter(({ type }) => type !== 'loop' && type !== 'rom');
}

function filled<Fields extends Record<string, string | null | undefined>>(fields: Fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value)) as { [Name in keyof Fields]?: string };
}

function parseArrays(answer: string): SourceStorage['arrays'] {
  const arrays = new Map<string, SourceStorage['arrays'][number]>();
  for (const [kind, name = '', ...fields] of lines(answer)) {
    if (kind === 'md') {
      const [level = '', disks = '0', metadata = '', chunk = '0'] = fields;
      arrays.set(name, {
        ...{ name, level, disks: Number.parseInt(disks, 10) || 0, metadata, members: [] },
        ...(Number(chunk) > 0 ? { chunk: Number(chunk) } : {}),
      });
    } else if (kind === 'member') {
      const [device = '', state = ''] = fields;
      const states = state.split(',');
      if (!states.includes('faulty')) arrays.get(name)?.members.push({ device, spare: states.includes('spare') });
    } else if (kind === 'title') {
      const array = arrays.get(fields[0] ?? '');
      // `data`, or where another machine made it `data_0` and `host:data`.
      if (array !== undefined) array.title = name.replace(/^.*:/, '').replace(/_\d+$/, '');
    }
  }
  return [...arrays.values()];
}

const reportSchema = z.looseObject({
  report: z.array(
    z.looseObject({
      vg: z.array(z.record(z.string(), z.string())).optional(),
      lv: z.array(z.record(z.string(), z.string())).optional(),
    }),
  ),
});

function parseLvm(answer: string): Pick<SourceStorage, 'groups' | 'volumes'> {
  const reports = answer.split(/^(?=\s{0,4}\{\s*$)/m).flatMap((part) => {
    const parsed = reportSchema.safeParse(parseJson(part));
    return parsed.success ? parsed.data.report : [];
  });
  return {
    groups: reports
      .flatMap(({ vg = [] }) => vg)
      .map((row) => ({
        name: row.vg_name ?? '',
        extent: Number(row.vg_extent_size ?? 0),
        size: Number(row.vg_size ?? 0),
        free: Number(row.vg_free ?? 0),
      })),
    volumes: reports
      .flatMap(({ lv = [] }) => lv)
      // Parts of a pool or a mirror are in brackets; they come with what they are part of.
      .filter((row) => row.lv_name !== undefined && !row.lv_name.startsWith('['))
      .map((row) => ({
        group: row.vg_name ?? '',
        name: row.lv_name ?? '',
        size: Number(row.lv_size ?? 0),
        kind: row.segtype ?? 'linear',
        ...(row.pool_lv ? { pool: row.pool_lv } : {}),
      })),
  };
}

/** crypttab(5): `NAME DEVICE [KEY [OPTIONS]]`. */
function parseCrypttab(answer: string): SourceStorage['crypts'] {
  return lines(answer)
    .filter(([name]) => name !== undefined && !name.startsWith('#'))
    .map(([name = '', device = '', key = 'none', options = '']) => ({
      ...{ name, device, key },
      options: options.split(',').filter((option) => option !== ''),
    }));
}

function lines(answer: string): string[][] {
  return answer
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + (Number.isFinite(value) ? value : 0), 0);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
