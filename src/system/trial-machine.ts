import { copyFile, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { Qmp } from './qmp.ts';
import type { Processes, RunningProcess } from './run.ts';
import type { UefiFirmware } from './uefi-firmware.ts';

/** A machine in QEMU that starts from a stick, and forgets all that it writes unless it is told otherwise. */
export interface TrialOptions {
  /** The stick: a file or a device. */
  medium: string;
  /** For its logs, its firmware’s variables and pictures. */
  directory: string;
  /** Of its files there. */
  name: string;
  /** Absent: a BIOS. */
  uefi?: UefiFirmware;
  kvm: boolean;
  /** MiB. */
  memory: number;
  /** What it writes goes onto the stick. */
  keeps?: boolean;
}

/** All of it, not only what is shown: kernels scroll by moving the window, and the rest is what stood there before. */
const textScreen = { val: 0xb8000, size: 0x8000 };
/** Between two keys, and how long each is held: what a BIOS keeps up with that is emulated. Milliseconds. */
const keyTime = { between: 45, held: 20 };

/** Goes with `await using`: QEMU ends then. */
export class TrialMachine implements AsyncDisposable {
  /** All that it said on its serial line. */
  readonly serialLog: string;
  readonly #options: TrialOptions;
  readonly #clock: Clock;
  readonly #process: RunningProcess;
  readonly #qmp: Qmp;
  #ended = false;

  private constructor(options: TrialOptions, clock: Clock, process: RunningProcess) {
    this.#options = options;
    this.#clock = clock;
    this.#process = process;
    this.#qmp = new Qmp(process);
    this.serialLog = serialLogOf(options);
    const end = () => {
      this.#ended = true;
    };
    process.ended.then(end, end);
  }

  /** Errors: `tool-missing`, `process-failed`, `interrupted`. */
  static async start(
    processes: Processes,
    options: TrialOptions,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<TrialMachine> {
    await writeFile(serialLogOf(options), '');
    if (options.uefi !== undefined) await copyFile(options.uefi.variables, variablesOf(options));
    // What it writes goes into a file that QEMU has deleted already: to where there is room.
    const env = { TMPDIR: options.directory };
    // Ends with us, however we end.
    const tied = ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...qemuArguments(options)];
    const process = processes.start('setpriv', tied, { signal, env });
    const machine = new TrialMachine(options, clock, process);
    await Promise.race([machine.#qmp.open(), process.ended]);
    if (machine.#ended) await process.ended;
    return machine;
  }

  get isRunning(): boolean {
    return !this.#ended;
  }

  /** What it said on its serial line from a byte on; at most the last MiB. */
  async said(from = 0): Promise<string> {
    const file = await open(this.serialLog, 'r');
    try {
      const { size } = await file.stat();
      const start = Math.max(from, size - 2 ** 20);
      const buffer = Buffer.alloc(Math.max(0, size - start));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await file.close();
    }
  }

  /** What stands on its screen, where that is a BIOS’s text screen; else rubbish, or nothing. */
  async screenText(): Promise<string> {
    if (this.#options.uefi !== undefined || this.#ended) return '';
    const file = join(this.#options.directory, `${this.#options.name}.screen`);
    try {
      await this.#qmp.execute('pmemsave', { ...textScreen, filename: file });
      return readTextScreen(await readFile(file));
    } catch (error) {
      if (this.#ended) return '';
      throw error;
    } finally {
      await rm(file, { force: true });
    }
  }

  /** A picture of the screen; undefined where there is none any more. */
  async picture(): Promise<string | undefined> {
    if (this.#ended) return undefined;
    const file = join(this.#options.directory, this.#options.name);
    const dump = (ending: string, format: object) =>
      this.#qmp.execute('screendump', { filename: `${file}.${ending}`, ...format }).then(() => `${file}.${ending}`);
    // QEMU before 7.1 knows no PNG.
    return dump('png', { format: 'png' }).catch(() => dump('ppm', {}).catch(() => undefined));
  }

  /** Types on its keyboard. Throws a `RangeError` for what a US keyboard has no key for. */
  async type(text: string): Promise<void> {
    const chords = [...text].map((character) => {
      const keys = keysOf(character);
      if (keys === undefined) throw new RangeError(`no key types “${character}”`);
      return keys;
    });
    for (const keys of chords) {
      await this.#qmp.execute('send-key', {
        keys: keys.map((data) => ({ type: 'qcode', data })),
        'hold-time': keyTime.held,
      });
      await this.#clock.sleep(keyTime.between);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.#process.stop();
    await this.#process.ended.catch(() => {});
    await rm(variablesOf(this.#options), { force: true });
  }
}

function serialLogOf({ directory, name }: TrialOptions): string {
  return join(directory, `${name}.log`);
}

function variablesOf({ directory, name }: TrialOptions): string {
  return join(directory, `${name}.vars`);
}

function qemuArguments(options: TrialOptions): string[] {
  const { medium, uefi, kvm, memory } = options;
  if (medium.includes(',')) throw new ImprintError('usage', { problem: `${medium} has a comma.`, hint: 'Rename it.' });
  // The least that systems of today are built for (x86-64-v2), where the processor is emulated.
  const emulated = 'qemu64,+cx16,+lahf-lm,+popcnt,+sse4.1,+sse4.2,+ssse3';
  return [
    ...['-accel', kvm ? 'kvm' : 'tcg', '-cpu', kvm ? 'host' : emulated, '-smp', '1', '-m', String(memory)],
    ...['-machine', 'q35', '-nodefaults', '-no-user-config', '-display', 'none', '-qmp', 'stdio'],
    ...['-chardev', `file,id=serial,path=${serialLogOf(options)}`, '-serial', 'chardev:serial'],
    // Kernels have no driver for a Rage 128 that would leave the text screen, where all can be read.
    ...['-device', uefi === undefined ? 'ati-vga' : 'VGA'],
    ...['-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    // Only in memory and in a file of QEMU’s own: the medium is not written.
    ...['-drive', `if=none,id=medium,file=${medium},format=raw${options.keeps ? '' : ',snapshot=on'}`],
    ...['-device', 'qemu-xhci', '-device', 'usb-storage,drive=medium,removable=on,bootindex=0'],
    ...(uefi === undefined
      ? []
      : [
          ...['-drive', `if=pflash,unit=0,readonly=on,format=raw,file=${uefi.code}`],
          ...['-drive', `if=pflash,unit=1,format=raw,file=${variablesOf(options)}`],
        ]),
  ];
}

/** Lines of 80 columns from a text screen’s memory: of each cell the character, without its colours. */
export function readTextScreen(memory: Uint8Array): string {
  const lines = Array.from({ length: Math.floor(memory.length / 160) }, (_, row) =>
    Array.from({ length: 80 }, (_, column) => {
      const code = memory[(row * 80 + column) * 2] ?? 0;
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : ' ';
    })
      .join('')
      .trimEnd(),
  );
  return lines.join('\n').trimEnd();
}

const signs: Readonly<Record<string, readonly string[]>> = {
  '\n': ['ret'],
  ' ': ['spc'],
  '=': ['equal'],
  '+': ['shift', 'equal'],
  '-': ['minus'],
  _: ['shift', 'minus'],
  '/': ['slash'],
  '.': ['dot'],
  '>': ['shift', 'dot'],
  ',': ['comma'],
  $: ['shift', '4'],
  '(': ['shift', '9'],
  ')': ['shift', '0'],
  '"': ['shift', 'apostrophe'],
  "'": ['apostrophe'],
  '~': ['shift', 'grave_accent'],
};

/** The keys of a US keyboard that type a character together. */
export function keysOf(character: string): readonly string[] | undefined {
  if (/^[a-z0-9]$/.test(character)) return [character];
  if (/^[A-Z]$/.test(character)) return ['shift', character.toLowerCase()];
  return signs[character];
}
