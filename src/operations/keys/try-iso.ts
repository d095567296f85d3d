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

/** Between two looks at all that it says and shows, and between two at its serial line alone. Milliseconds. */
const pollTime = 500;
const hearTime = 50;
/** GRUB’s menu, ours or an ISO’s; its command line says so in its first line, too. */
const grub = /GNU GRUB +version/g;
const prompt = /grub> ?/;
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
  const lost = await typeLines(machine, watch, [...lines, 'configfile $prefix/iso.cfg']);
  if (lost !== undefined) return failed('menu', `GRUB did not take what was typed: ${lost}`);
  if (!(await watch.until((text) => text.match(grub) ?? text.match(refused))))
    return failed('menu', 'the key did not look into the file');
  await clock.sleep(1500, signal);
  if (refused.test((await watch.text()).replaceAll('\n', ' '))) return { verdict: 'refused', stage: 'refused' };
  tell('chosen');
  await choose(machine, watch);
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
  const lines = [`default=${selfTest}`, 'export default', 'configfile $prefix/imager.cfg'];
  const lost = await typeLines(machine, watch, lines);
  if (lost !== undefined) return failed('menu', `GRUB did not take what was typed: ${lost}`);
  if (!(await watch.until((text) => text.match(grub)))) return failed('menu', 'the imager’s menu did not come');
  await clock.sleep(1500, signal);
  tell('chosen');
  await choose(machine, watch);
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

/** How long a slow machine is waited for, longer each time; a fast one has answered long before the first is over. Milliseconds. */
const patience = [8000, 16_000, 32_000, 64_000] as const;
/** Keys that even a machine too slow to keep up with typing does not lose: a PC’s keyboard holds 16 codes, and a key with its shift has six. */
const pieceLength = 2;

async function openCommandLine(machine: TriedMachine, watch: Watch): Promise<boolean> {
  for (const [attempt, time] of patience.entries()) {
    watch.forget();
    await machine.type('c');
    if (!(await watch.hears((said) => prompt.test(said), time))) continue;
    // The one before came late: this one stands in the command line now.
    if (attempt > 0) await endLine(machine, watch, time);
    return true;
  }
  return false;
}

/** Types lines, the last of which asks for no other. The line that did not arrive, if one did not. */
async function typeLines(machine: TriedMachine, watch: Watch, lines: readonly string[]): Promise<string | undefined> {
  for (const [index, line] of lines.entries()) {
    if (!(await typeWhole(machine, watch, line))) return line;
    if (index < lines.length - 1) await endLine(machine, watch, 4000);
  }
  watch.forget();
  await machine.type('\n');
  return undefined;
}

/** What was not echoed whole is typed again. */
async function typeWhole(machine: TriedMachine, watch: Watch, line: string): Promise<boolean> {
  for (const time of patience) {
    if (await typeOnce(machine, watch, line, time)) return true;
    await recover(machine, watch, time);
  }
  return false;
}

async function typeOnce(machine: TriedMachine, watch: Watch, line: string, time: number): Promise<boolean> {
  watch.forget();
  for (let end = pieceLength; ; end += pieceLength) {
    await machine.type(line.slice(end - pieceLength, end));
    const typed = line.slice(0, end);
    if (!(await watch.hears((said) => isEchoed(said, typed), time))) return false;
    if (typed === line) return true;
  }
}

/** Ends what stands in the command line. */
async function endLine(machine: TriedMachine, watch: Watch, time: number, typed = ''): Promise<boolean> {
  watch.forget();
  await machine.type(`${typed}\n`);
  return watch.hears((said) => prompt.test(said), time);
}

/** From where a lost key leads: a quotation that goes on in the next line, and a shift that seems to be held until it is let go another time. */
async function recover(machine: TriedMachine, watch: Watch, time: number): Promise<void> {
  if (await endLine(machine, watch, time)) await endLine(machine, watch, time, '_');
  else await endLine(machine, watch, time, '"');
}

/** GRUB of a UEFI machine says each character twice on the serial line: itself and by the firmware’s console. */
export function isEchoed(text: string, line: string): boolean {
  const quoted = [...line.replaceAll(/\s/g, '')].map((character) =>
    character.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  );
  return new RegExp(quoted.map((each) => `${each}+`).join('')).test(text.replaceAll(/\s/g, ''));
}

/** Takes the entry that a menu is on. A machine that says nothing new did not get the key. */
async function choose(machine: TriedMachine, watch: Watch): Promise<void> {
  watch.forget();
  for (const time of patience) {
    await machine.type('\n');
    if (await watch.hearsAnything(time)) return;
  }
}

/** An ISO’s own menu: its first entry, unless that menu is all there is to see. */
async function passOwnMenu(machine: TriedMachine, watch: Watch, family: IsoFamily | undefined): Promise<void> {
  if (!(await watch.until((text) => text.match(grub) ?? further(text, family), 60_000))) return;
  if (further(await watch.text(), family)) return;
  await choose(machine, watch);
}

function further(text: string, family: IsoFamily | undefined): string[] | null {
  const { stage } = readProgress(text, family);
  return stage === 'chosen' ? null : [stage];
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
    const said = await this.#hear();
    const screen = await this.#machine.screenText();
    if (screen !== this.#screen) {
      this.#changed = this.#clock.now();
      this.#screens = `${this.#screens}\n${screen}`.slice(-200_000);
    }
    this.#screen = screen;
    return `${plainText(said)}\n${this.#screens}`;
  }

  async #hear(): Promise<string> {
    const said = await this.#machine.said(this.#from);
    if (said.length !== this.#length) this.#changed = this.#clock.now();
    this.#length = said.length;
    return said;
  }

  /** Be it that it clears its screen. */
  hearsAnything(patience: number): Promise<boolean> {
    return this.#until(async () => (await this.#hear()) !== '', patience);
  }

  /** Whether its serial line alone, which has nothing twice that came once, came to that before the time was over. */
  hears(isIt: (said: string) => boolean, patience: number): Promise<boolean> {
    return this.#until(async () => isIt(plainText(await this.#hear())), patience, hearTime);
  }

  /** Whether `find` found something before the time, or the machine’s, was over. */
  until(find: (text: string) => readonly string[] | null, patience = Number.POSITIVE_INFINITY): Promise<boolean> {
    return this.#until(async () => find(await this.text()) !== null, patience);
  }

  async #until(isIt: () => Promise<boolean>, patience: number, pause = pollTime): Promise<boolean> {
    const end = Math.min(this.#end, this.#clock.now() + patience);
    for (;;) {
      if (await isIt()) return true;
      if (this.#clock.now() >= end || !this.#machine.isRunning) return false;
      await this.#clock.sleep(pause, this.#signal);
    }
  }
}
