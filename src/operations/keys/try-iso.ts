import type { KeyIso, KeyTestResult } from '../../contract/operations/keys.ts';
import type { Clock } from '../../foundation/clock.ts';
import { isoFamilies } from '../../netboot/iso-families.ts';
import type { IsoFamily } from '../../netboot/iso-family.ts';
import { type IsoProgress, plainText, readProgress, serialWords } from '../../netboot/iso-progress.ts';
import type { TrialMachine } from '../../system/trial-machine.ts';

/** How an ISO is started from the key, and what can be known of it. */
export interface IsoTrial {
  iso: Pick<KeyIso, 'name' | 'family' | 'beside'>;
  firmware: 'bios' | 'uefi';
  /** Seconds. */
  limit: number;
  /** Which of its entries, counted from 0; absent: the first. */
  entry?: number;
}

/** What is needed of a machine. */
export type TriedMachine = Pick<TrialMachine, 'isRunning' | 'said' | 'screenText' | 'type'>;

type Outcome = Pick<KeyTestResult, 'verdict' | 'stage' | 'said' | 'problem'>;

const pollTime = 500;
/** GRUB’s menu, ours or an ISO’s; its command line says so in its first line, too. */
const grub = /GNU GRUB +version/g;
const refused = /This ISO cannot be started|This file cannot be read/;
/** What cannot be heard counts as settled when its screen was still for so long. Milliseconds. */
const stillTime = 60_000;

/**
 * Starts one ISO of a key in a machine that was just switched on, as a person at its keyboard would: from GRUB’s command line, where the words for the serial
 * line are set, into the same part of the menu that shows when the file is chosen, and there the first entry.
 */
export async function tryIso(
  machine: TriedMachine,
  trial: IsoTrial,
  clock: Clock,
  { signal, tell }: { signal: AbortSignal; tell: (stage: string) => void },
): Promise<Outcome> {
  const family = isoFamilies.find(({ id }) => id === trial.iso.family);
  const watch = new Watch(machine, clock, clock.now() + trial.limit * 1000, signal);
  if (!(await watch.until((text) => text.match(grub)))) return failed('nothing', 'the menu of the key did not come');
  tell('menu');
  const lines = linesFor(trial, family);
  if (lines === undefined) return failed('menu', 'the name of the file cannot be typed: give it a simpler one');
  // The menu that was there takes the first key while it still draws itself.
  await clock.sleep(1000, signal);
  if (!(await openCommandLine(machine, watch))) return failed('menu', 'GRUB’s command line did not come');
  for (const line of lines)
    if (!(await typeLine(machine, watch, line))) return failed('menu', `GRUB did not take what was typed: ${line}`);
  watch.forget();
  await machine.type('configfile $prefix/iso.cfg\n');
  if (!(await watch.until((text) => text.match(grub) ?? text.match(refused))))
    return failed('menu', 'the key did not look into the file');
  await clock.sleep(1500, signal);
  if (refused.test((await watch.text()).replaceAll('\n', ' '))) return { verdict: 'refused', stage: 'refused' };
  tell('chosen');
  watch.forget();
  await machine.type('\n');
  const entry = entryOf(trial, family);
  if (entry?.kind === 'config') await passOwnMenu(machine, watch, family);
  return follow(watch, family, entry?.kind !== 'config' || family?.test !== undefined, tell);
}

/** Entry of the imager's self test in its menu (`imagerEntries`), counted from 0. */
const selfTest = 3;

/** Starts the imager that is on a key, in the same way: it checks itself, says so on the serial line, and switches the machine off. */
export async function tryImager(
  machine: TriedMachine,
  { limit }: Pick<IsoTrial, 'limit'>,
  clock: Clock,
  { signal, tell }: { signal: AbortSignal; tell: (stage: string) => void },
): Promise<Outcome> {
  const watch = new Watch(machine, clock, clock.now() + limit * 1000, signal);
  if (!(await watch.until((text) => text.match(grub)))) return failed('nothing', 'the menu of the key did not come');
  tell('menu');
  await clock.sleep(1000, signal);
  if (!(await openCommandLine(machine, watch))) return failed('menu', 'GRUB’s command line did not come');
  for (const line of [`default=${selfTest}`, 'export default'])
    if (!(await typeLine(machine, watch, line))) return failed('menu', `GRUB did not take what was typed: ${line}`);
  watch.forget();
  await machine.type('configfile $prefix/imager.cfg\n');
  if (!(await watch.until((text) => text.match(grub)))) return failed('menu', 'the imager’s menu did not come');
  await clock.sleep(1500, signal);
  tell('chosen');
  watch.forget();
  await machine.type('\n');
  const result = /IMAGER-SELFTEST (ok|failed)[^\n]*/;
  await watch.until((text) => text.match(result));
  // It may have switched itself off right behind the line.
  const text = await watch.text();
  const { stage, trouble } = readProgress(text);
  const [said, verdict] = result.exec(text) ?? [];
  if (verdict === 'ok') return { verdict: 'runs', stage: 'running', said: said?.slice(0, 200) ?? '' };
  if (said !== undefined)
    return { verdict: 'failed', stage: 'running', said: said.slice(0, 200), problem: 'its self test' };
  const ended = watch.isRunning ? 'its time was over' : 'the machine switched itself off';
  return failed(stage, trouble?.slice(0, 200) ?? ended);
}

function failed(stage: KeyTestResult['stage'], problem: string): Outcome {
  return { verdict: 'failed', stage, problem };
}

function entryOf({ iso, firmware }: IsoTrial, family: IsoFamily | undefined): IsoFamily['entries'][number] | undefined {
  if (iso.beside) return undefined;
  return family?.entries.find((entry) => (entry.firmware ?? firmware) === firmware);
}

/** What is typed, in lines that fit a screen; undefined where no keyboard types it. */
function linesFor(trial: IsoTrial, family: IsoFamily | undefined): string[] | undefined {
  const { name } = trial.iso;
  if (!/^[\w.+~-]{1,60}$/.test(name)) return undefined;
  const entry = entryOf(trial, family);
  const words = family?.test?.words ?? (trial.iso.beside || entry?.kind === 'linux' ? serialWords : '');
  return [
    ...words
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => `imprint_words="$imprint_words ${word}"`),
    ...(trial.entry === undefined ? [] : [`default=${trial.entry}`, 'export default']),
    `iso_path=/${name}`,
    'export imprint_words iso_path',
  ];
}

async function openCommandLine(machine: TriedMachine, watch: Watch): Promise<boolean> {
  for (let attempt = 0; attempt < 4; attempt++) {
    watch.forget();
    await machine.type('c');
    if (await watch.until((text) => text.match(/grub> ?/), 8000)) return true;
  }
  return false;
}

/** A key may be lost where the machine is slow: what was not echoed whole is typed again. */
async function typeLine(machine: TriedMachine, watch: Watch, line: string): Promise<boolean> {
  for (let attempt = 0; attempt < 3; attempt++) {
    watch.forget();
    await machine.type(line);
    const whole = await watch.until((text) => (isEchoed(text, line) ? [line] : null), 6000);
    await machine.type('\n');
    await watch.until((text) => text.match(/grub> ?$/), 4000);
    if (whole) return true;
  }
  return false;
}

/** GRUB of a UEFI machine says each character twice on the serial line: itself and by the firmware’s console. */
export function isEchoed(text: string, line: string): boolean {
  const quoted = [...line.replaceAll(/\s/g, '')].map((character) =>
    character.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  );
  return new RegExp(quoted.map((each) => `${each}+`).join('')).test(text.replaceAll(/\s/g, ''));
}

/** An ISO’s own menu: its first entry, unless that menu is all there is to see. */
async function passOwnMenu(machine: TriedMachine, watch: Watch, family: IsoFamily | undefined): Promise<void> {
  if (!(await watch.until((text) => text.match(grub), 20_000))) return;
  if (readProgress(await watch.text(), family).stage === 'running') return;
  await machine.type('\n');
}

async function follow(
  watch: Watch,
  family: IsoFamily | undefined,
  isHeard: boolean,
  tell: (stage: string) => void,
): Promise<Outcome> {
  let progress: IsoProgress = { stage: 'chosen' };
  const settled = await watch.until((text) => {
    const now = readProgress(text, family);
    if (now.stage !== progress.stage) tell(now.stage);
    progress = now;
    if (now.stage === 'running' || now.trouble !== undefined) return [now.stage];
    return !isHeard && watch.stillFor() > stillTime ? ['still'] : null;
  });
  const { stage, said, trouble } = progress;
  const seen = { stage, ...(said !== undefined && { said: said.slice(0, 200) }) };
  if (stage === 'running') return { verdict: 'runs', ...seen };
  if (trouble !== undefined) return { verdict: 'failed', ...seen, problem: trouble.slice(0, 200) };
  if (!watch.isRunning) return { verdict: 'failed', ...seen, problem: 'the machine switched itself off' };
  if (!isHeard) return { verdict: 'unclear', ...seen };
  return { verdict: 'failed', ...seen, problem: settled ? 'it stood still' : 'its time was over' };
}

/** What a machine said and showed since the last `forget`. */
class Watch {
  readonly #machine: TriedMachine;
  readonly #clock: Clock;
  readonly #end: number;
  readonly #signal: AbortSignal;
  #from = 0;
  #length = 0;
  #screens = '';
  #screen = '';
  #changed: number;

  constructor(machine: TriedMachine, clock: Clock, end: number, signal: AbortSignal) {
    this.#machine = machine;
    this.#clock = clock;
    this.#end = end;
    this.#signal = signal;
    this.#changed = clock.now();
  }

  get isRunning(): boolean {
    return this.#machine.isRunning;
  }

  /** Milliseconds since anything new was said or shown. */
  stillFor(): number {
    return this.#clock.now() - this.#changed;
  }

  forget(): void {
    this.#from += this.#length;
    this.#length = 0;
    this.#screens = '';
    this.#changed = this.#clock.now();
  }

  async text(): Promise<string> {
    const said = await this.#machine.said(this.#from);
    const screen = await this.#machine.screenText();
    if (said.length !== this.#length || screen !== this.#screen) this.#changed = this.#clock.now();
    if (screen !== this.#screen) this.#screens = `${this.#screens}\n${screen}`.slice(-200_000);
    this.#length = said.length;
    this.#screen = screen;
    return `${plainText(said)}\n${this.#screens}`;
  }

  /** Whether `find` found something before the time, or the machine’s, was over. */
  async until(find: (text: string) => readonly string[] | null, patience = Number.POSITIVE_INFINITY): Promise<boolean> {
    const end = Math.min(this.#end, this.#clock.now() + patience);
    for (;;) {
      if (find(await this.text()) !== null) return true;
      if (this.#clock.now() >= end || !this.#machine.isRunning) return false;
      await this.#clock.sleep(pollTime, this.#signal);
    }
  }
}
