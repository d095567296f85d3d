import type { MachineFacts } from '../contract/machine.ts';
import type { NamedScript, Script, ScriptAudience, ScriptPhase } from '../contract/scripts.ts';
import type { InstalledNetwork } from './network-files.ts';

/** The machine that scripts are chosen for. */
export interface ScriptReader {
  name: string;
  /** Name of the image, without number or tag. */
  image: string;
  groups: readonly string[];
}

/** A script that the version itself brings, or one of the server. */
export interface PlannedScript {
  name: string;
  /** For people: `all`, `image web`, `group rack1`, `machine web01`, `the version`. */
  from: string;
}

/** Where a version has scripts of its own (relative to its root): one directory for each of these phases. */
export const imageScriptsPath = 'usr/share/imprint/scripts';
export const imageScriptPhases = ['post-install', 'first-boot'] as const satisfies readonly ScriptPhase[];
export const fromVersion = 'the version';

/**
 * The scripts that a machine gets in a phase, in the order in which they run: by name, byte by byte. Of several of one name the one for the fewest counts:
 * machine before group before image before all; of several groups, the one that the machine names first. One that is empty takes those of its name away.
 */
export function chooseScripts<Each extends NamedScript>(
  scripts: readonly Each[],
  phase: ScriptPhase,
  reader: ScriptReader,
): Each[] {
  const chosen = new Map<string, { script: Each; rank: number }>();
  for (const script of scripts) {
    const rank = script.phase === phase ? nearness(script.for, reader) : undefined;
    if (rank !== undefined && rank > (chosen.get(script.name)?.rank ?? -1)) chosen.set(script.name, { script, rank });
  }
  return [...chosen.values()].map(({ script }) => script).sort(byName);
}

/**
 * The scripts of a version and those of the server, as they run. One of the server's takes the place of the version's of the same name; an empty one just
 * takes it away.
 */
export function joinScripts(ofVersion: readonly string[], ordered: readonly Script[]): PlannedScript[] {
  const own = ofVersion.filter((name) => !ordered.some((each) => each.name === name));
  const others = ordered.filter(({ text }) => text !== '');
  return [
    ...own.map((name) => ({ name, from: fromVersion })),
    ...others.map((each) => ({ name: each.name, from: describeAudience(each.for) })),
  ].sort(byName);
}

export function describeAudience(audience: ScriptAudience): string {
  return audience.kind === 'all' ? 'all' : `${audience.kind} ${audience.name}`;
}

export function byName(left: { name: string }, right: { name: string }): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

/** Undefined: it is not for this machine. */
function nearness(audience: ScriptAudience, { name, image, groups }: ScriptReader): number | undefined {
  switch (audience.kind) {
    case 'all':
      return 0;
    case 'image':
      return audience.name === image ? 1 : undefined;
    case 'group': {
      const place = groups.indexOf(audience.name);
      return place < 0 ? undefined : 2 + groups.length - place;
    }
    case 'machine':
      return audience.name.toLowerCase() === name.toLowerCase() ? 3 + groups.length : undefined;
  }
}

/** Why a text is no script that could run; undefined: it is one, or is empty. */
export function scriptProblem(text: string): string | undefined {
  if (text === '') return undefined;
  const [first = ''] = text.split('\n', 1);
  if (text.includes('\0') || text.includes('\ufffd')) return 'it is no text (UTF-8)';
  if (!/^#!\s*\//.test(first)) return 'its first line does not say what runs it, as #!/bin/sh does';
  if (first.endsWith('\r')) return 'its lines end as on Windows (CR LF), and no system would find what runs it';
  return undefined;
}

/** What scripts are told of the install. */
export interface ScriptInstall extends ScriptReader {
  /** `web:3`. */
  reference: string;
  digest: string;
  facts: MachineFacts;
  /** Absent: not known yet. */
  disk?: string;
  server?: string;
  network?: Pick<InstalledNetwork, 'address' | 'prefix' | 'gateway' | 'dns' | 'domain' | 'mac'>;
}

/** Variables of the environment of every script. Names are SystemImager's where it has one for the same thing. */
export function scriptVariables(install: ScriptInstall): Record<string, string> {
  const { name, image, groups, reference, digest, facts, disk, server, network } = install;
  return {
    HOSTNAME: name,
    IMAGENAME: image,
    GROUPNAMES: groups.join(' '),
    ...(server !== undefined && { IMAGESERVER: server }),
    ...(disk !== undefined && { DISK: disk }),
    ...(network !== undefined && {
      IPADDR: network.address,
      NETMASK: netmask(network.prefix),
      MAC: network.mac,
      ...(network.gateway !== undefined && { GATEWAY: network.gateway }),
      ...(network.dns.length > 0 && { DNS: network.dns.join(' ') }),
      ...(network.domain !== undefined && { DOMAINNAME: network.domain }),
    }),
    IMPRINT_IMAGE: reference,
    IMPRINT_DIGEST: digest,
    IMPRINT_FIRMWARE: facts.firmware,
    IMPRINT_ARCHITECTURE: facts.architecture,
  };
}

/** The same for a shell to read: `variables.txt`, as SystemImager has it. */
export function renderVariables(variables: Readonly<Record<string, string>>): string {
  const quote = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`;
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quote(value)}\n`)
    .join('');
}

function netmask(prefix: number): string {
  return [0, 8, 16, 24].map((done) => 256 - 2 ** (8 - Math.min(8, Math.max(0, prefix - done)))).join('.');
}
