import { isEmptySettings, type LocalProblem, type LocalSettings, parseLocalConfig } from './local-config.ts';
import { mediumLabels } from './medium-names.ts';

/** A file system on which settings may lie. */
export interface SettingsPlace {
  /** `/dev/sdb2`. */
  device: string;
  label: string;
  /** Of the medium, where it is one: what its `medium.json` says. */
  medium?: string;
  /** Names, and what is in them: `local.cfg`, `local-52-54-00-12-34-56.cfg`. */
  files: readonly { name: string; content: Uint8Array }[];
}

export type SettingsChoice =
  | { kind: 'none' }
  | { kind: 'settings'; settings: LocalSettings; remarks: LocalProblem[]; source: string; place: SettingsPlace }
  /** A file that cannot be used, or several that say different things. `problem` is for people. */
  | { kind: 'wrong'; source: string; problem: string };

/** Whether a file of this name may hold settings. */
export function isSettingsName(name: string): boolean {
  return /^local(-[0-9a-f]{2}(-[0-9a-f]{2}){5})?\.cfg$/i.test(name);
}

/**
 * The settings that count. On each place the file named after a MAC address of this machine goes before `local.cfg`. What the medium says that this machine
 * booted from (`medium`) goes before what a partition with the label for it says, wherever that is; a file that nobody filled in says nothing. Two that say different
 * things are no answer: which one was meant?
 */
export function chooseSettings(
  places: readonly SettingsPlace[],
  machine: { medium?: string | undefined; macs: readonly string[] },
): SettingsChoice {
  const own = places.filter(({ medium }) => medium !== undefined && medium === machine.medium);
  const labelled = places.filter(({ label }) => label.toUpperCase() === mediumLabels.settings);
  for (const group of [own, labelled]) {
    const answers = group.flatMap((place) => readPlace(place, machine.macs));
    const [first, ...others] = answers;
    if (first === undefined) continue;
    const other = others.find((each) => contentOf(each) !== contentOf(first));
    if (other === undefined) return group === own ? first : confirming(first, machine.macs);
    const source = `${first.source} and ${other.source}`;
    return { kind: 'wrong', source, problem: 'they say different things; take one away' };
  }
  return { kind: 'none' };
}

/**
 * A partition that merely lies in a machine may have been forgotten there: what it says is done without asking only where it names this machine, by its MAC address.
 */
function confirming(choice: Exclude<SettingsChoice, { kind: 'none' }>, macs: readonly string[]): SettingsChoice {
  if (choice.kind === 'wrong' || choice.settings.install !== 'unattended') return choice;
  const { settings, source, remarks } = choice;
  if (!source.toLowerCase().startsWith('local.cfg ') || macs.some((mac) => mac === settings.mac)) return choice;
  const problem =
    'INSTALL=unattended counts on the medium that a machine was started from; here it also needs MAC, so you will be asked';
  return { ...choice, settings: { ...settings, install: 'confirm' }, remarks: [...remarks, { line: 0, problem }] };
}

function readPlace(place: SettingsPlace, macs: readonly string[]): Exclude<SettingsChoice, { kind: 'none' }>[] {
  const named = (wanted: string) => place.files.find(({ name }) => name.toLowerCase() === wanted);
  const forMac = macs.map((mac) => named(`local-${mac.replaceAll(':', '-')}.cfg`)).filter((file) => file !== undefined);
  const file = forMac[0] ?? named('local.cfg');
  if (file === undefined) return [];
  const source = `${file.name} on ${place.device} (${place.label})`;
  if (forMac.length > 1) {
    const problem = `it lies beside ${forMac[1]?.name}, and both are of this machine; take one away`;
    return [{ kind: 'wrong', source, problem }];
  }
  const answer = parseLocalConfig(file.content);
  if (answer.kind === 'problems') {
    const lines = answer.problems.map(({ line, problem }) => (line === 0 ? problem : `line ${line}: ${problem}`));
    return [{ kind: 'wrong', source, problem: lines.join('; ') }];
  }
  if (isEmptySettings(answer.settings)) return [];
  return [{ kind: 'settings', settings: answer.settings, remarks: answer.remarks, source, place }];
}

function contentOf(choice: Exclude<SettingsChoice, { kind: 'none' }>): string {
  return choice.kind === 'settings' ? JSON.stringify(choice.settings) : choice.problem;
}
