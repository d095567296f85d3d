import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { diskRuleSchema, installLayoutSchema, rootFileSystemSchema, slotCountSchema } from '../contract/machine.ts';
import { eraseKindsSchema } from '../contract/partition-kind.ts';
import { groupsSchema } from '../contract/scripts.ts';
import type { Clock } from '../foundation/clock.ts';
import { chooseSettings, type SettingsChoice } from '../machine/choose-settings.ts';
import type { LocalSettings } from '../machine/local-config.ts';
import { mediumLabels, mediumPaths } from '../machine/medium-names.ts';
import { labelledDevices, mountMedium, searchSettings } from '../system/medium-search.ts';
import type { Processes } from '../system/run.ts';

const networkSchema = z.object({
  address: z.string(),
  prefix: z.number(),
  gateway: z.string().optional(),
  dns: z.array(z.string()),
});
const settingsSchema = z.object({
  hostName: z.string().optional(),
  domain: z.string().optional(),
  network: networkSchema.optional(),
  device: z.string().optional(),
  mac: z.string().optional(),
  server: z.string().optional(),
  image: z.string().optional(),
  groups: groupsSchema.optional(),
  install: z.enum(['confirm', 'unattended']).optional(),
  disk: diskRuleSchema.optional(),
  layout: installLayoutSchema.exclude(['own']).optional(),
  slots: slotCountSchema.optional(),
  fileSystem: rootFileSystemSchema.optional(),
  swap: z.number().optional(),
  kernelOptions: z.string().optional(),
  erase: eraseKindsSchema.optional(),
  bootCopy: z.literal('none').optional(),
  afterwards: z.enum(['reboot', 'poweroff', 'wait', 'remove']).optional(),
});

/** What was found on media before the network came up: `/run/imprint/settings.json`. */
export const foundSettingsSchema = z.object({
  settings: settingsSchema.optional(),
  /** Where they stood, for people. */
  source: z.string().optional(),
  /** Why there are none, though somebody wrote some. */
  problem: z.string().optional(),
  remarks: z.array(z.string()),
  /** The medium that the machine booted from: its file system, its disk, and where its versions are mounted. */
  medium: z.object({ device: z.string(), disk: z.string(), store: z.string().optional() }).optional(),
});
export type FoundSettings = z.infer<typeof foundSettingsSchema>;

export interface SettingsSearch {
  readonly processes: Processes;
  readonly clock: Clock;
  /** `imprint.medium=`: which medium this machine booted from. */
  readonly medium: string | undefined;
  readonly macs: readonly string[];
  /** Whether the kernel's command line names a server to ask. */
  readonly hasServer: boolean;
  /** `/run/imprint`. */
  readonly directory: string;
  /** Milliseconds to wait for that medium to appear: a stick takes its time after the kernel's start. */
  readonly patience?: number;
  /** Whether a block device may be read at all; default: each may. */
  isReadable?(path: string): boolean;
}

const files = { found: 'settings.json', network: 'network' } as const;

/**
 * Looks for settings and for the medium itself, mounts the versions that it carries, and writes down what was found: as JSON for the imager, and for
 * `imager-init` as lines `WORD VALUE` of what the network is to be.
 */
export async function findSettings(search: SettingsSearch): Promise<FoundSettings> {
  const { processes, clock, medium, macs, directory, patience = 30_000 } = search;
  const until = clock.now() + patience;
  for (;;) {
    const places = await searchSettings(processes, clock, join(directory, 'media'), search.isReadable);
    const own = places.find((place) => medium !== undefined && place.medium === medium);
    if (medium !== undefined && own === undefined && clock.now() < until) {
      await clock.sleep(1000);
      continue;
    }
    const choice = chooseSettings(places, { medium, macs });
    const found: FoundSettings = {
      ...described(choice),
      ...(own !== undefined && {
        medium: { device: own.device, disk: own.disk, ...(await mountStore(search, own)) },
      }),
    };
    await writeFile(join(directory, files.network), networkLines(found, search.hasServer));
    await writeFile(join(directory, files.found), `${JSON.stringify(found)}\n`);
    return found;
  }
}

/** What `findSettings` found; nothing where it was not asked. */
export async function readFoundSettings(directory: string): Promise<FoundSettings> {
  const text = await readFile(join(directory, files.found), 'utf8').catch(() => undefined);
  return text === undefined ? { remarks: [] } : foundSettingsSchema.parse(JSON.parse(text));
}

/** For a shell that reads word and value: each value is one word, checked when it was read. */
export function networkLines({ settings = {}, medium }: FoundSettings, hasServer: boolean): string {
  const { network, device, mac, domain, install } = settings;
  const asksServer = install === undefined && (hasServer || settings.server !== undefined);
  const lines: string[] = [];
  if (device !== undefined) lines.push(`device ${device}`);
  if (mac !== undefined) lines.push(`mac ${mac}`);
  if (network !== undefined) {
    lines.push(`address ${network.address}/${network.prefix}`);
    if (network.gateway !== undefined) lines.push(`gateway ${network.gateway}`);
    for (const each of network.dns) lines.push(`dns ${each}`);
  }
  if (domain !== undefined) lines.push(`domain ${domain}`);
  // What is on the medium needs no network; it comes up beside the install, for as far as it can.
  if (!asksServer && medium?.store !== undefined) lines.push('beside yes');
  return lines.map((line) => `${line}\n`).join('');
}

function described(choice: SettingsChoice): Omit<FoundSettings, 'medium'> {
  if (choice.kind === 'none') return { remarks: [] };
  const { source } = choice;
  if (choice.kind === 'wrong') return { source, problem: choice.problem, remarks: [] };
  const remarks = choice.remarks.map(({ line, problem }) => (line === 0 ? problem : `line ${line}: ${problem}`));
  return { settings: choice.settings satisfies LocalSettings, source, remarks };
}

/** The versions that lie beside the imager: on the partition of the same disk, or in the medium's own file system. */
async function mountStore(
  { processes, directory, isReadable }: SettingsSearch,
  own: { device: string; disk: string; fileSystem: string },
): Promise<{ store?: string }> {
  const target = join(directory, 'medium');
  const beside = (await labelledDevices(processes, [mediumLabels.store], isReadable)).find(
    ({ disk }) => disk === own.disk,
  );
  const device = own.fileSystem === 'iso9660' ? own : beside;
  if (device === undefined) return {};
  await mountMedium(processes, device, target);
  const store = join(target, mediumPaths.store);
  const isStore = await readFile(join(store, 'imprint-store.json')).then(
    () => true,
    () => false,
  );
  return isStore ? { store } : {};
}
