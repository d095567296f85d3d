import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningProcess } from '../../src/system/run.ts';
import { accelerator } from './accelerator.ts';
import { loggedDrive } from './logged-drive.ts';
import type { LabNetwork } from './network.ts';
import { SerialConsole } from './serial.ts';

export type Firmware = 'bios' | 'uefi';

/** A disk that is not in the usual slot, or has other sectors than of 512 bytes. */
export interface MachineDisk {
  /** qcow2, or raw (`*.raw`). */
  readonly file: string;
  /** Default: `virtio`. */
  readonly bus?: 'virtio' | 'nvme' | 'sata';
  /** Logical and physical. */
  readonly sectorSize?: 512 | 4096;
  /** Default: told by its place among the disks. */
  readonly serial?: string;
}

export interface MachineOptions {
  readonly name: string;
  /** Of its console's log; default: its name. */
  readonly logName?: string;
  /** Where its log, and its UEFI variables, lie. */
  readonly directory: string;
  readonly network: LabNetwork;
  /** Last byte of its MAC address, `52:54:00:09:00:XX`. */
  readonly number: number;
  readonly firmware?: Firmware;
  /** Mebibytes. */
  readonly memory?: number;
  /** qcow2 files, or raw ones (`*.raw`), in the order of the machine's slots: /dev/vda, /dev/vdb, … */
  readonly disks: readonly (string | MachineDisk)[];
  /** Where everything that is written to the first disk is logged, as `write-log.ts` reads it; a new file. */
  readonly writeLog?: string;
  /** A medium that it tries first: an ISO (`*.iso`) in an optical drive, anything else on a USB stick. Nothing is written to it. */
  readonly medium?: string;
  /** The optical drive hangs on a virtio-scsi: cloud kernels know no other. */
  readonly virtioMedium?: boolean;
  /** Path of a socket that becomes QEMU's monitor (QMP). */
  readonly monitor?: string;
  /** UEFI with Secure Boot on and Microsoft's keys. */
  readonly secureBoot?: boolean;
  /** UEFI: boots from the network by HTTP, not by PXE. */
  readonly httpBoot?: boolean;
  /** Tries its first disk first, not the network. */
  readonly fromDisk?: boolean;
  /**
   * Restarts as a machine that was switched off and on: another QEMU, the same console. After minutes of work, software emulation writes to memory
   * that held programs a thousand times slower, and GRUB, which moves the kernel there byte by byte, then takes minutes.
   * Such a machine cannot power itself off.
   */
  readonly freshBoots?: boolean;
  /** Has a hardware watchdog (`i6300esb`), which resets it. */
  readonly watchdog?: boolean;
  /** Boots this kernel straight away; without it the machine tries the network first, then its first disk. */
  readonly kernel?: { readonly kernel: string; readonly initrd: string; readonly commandLine: string };
}

const ovmf = '/usr/share/OVMF';

/** A virtual machine that was powered on. Its power is cut when it goes out of scope. */
export class Machine implements AsyncDisposable {
  readonly name: string;
  readonly mac: string;
  readonly tap: string;
  readonly serial: SerialConsole;
  readonly pid: number;
  #ended = false;
  /** Settles when QEMU has ended, by itself or by us. */
  readonly ended: Promise<void>;

  private constructor(options: MachineOptions, mac: string, tap: string, running: RunningProcess) {
    this.name = options.name;
    this.mac = mac;
    this.tap = tap;
    this.pid = running.pid;
    this.serial = new SerialConsole(
      running.stdout,
      running.stdin,
      join(options.directory, `${options.logName ?? options.name}.serial.log`),
    );
    this.ended = running.ended
      .then(
        () => 'powered off',
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      )
      .then((reason) => {
        this.#ended = true;
        this.serial.close(reason);
      });
  }

  /** Powers a machine on. */
  static async start(options: MachineOptions): Promise<Machine> {
    const mac = macAddress(options.number);
    const tap = await options.network.addTap();
    if (options.writeLog !== undefined) await writeFile(options.writeLog, '', { flag: 'wx' });
    const args = await qemuArguments(options, mac, tap);
    const qemu = 'qemu-system-x86_64';
    if (options.freshBoots !== true) return new Machine(options, mac, tap, options.network.start(qemu, args));
    const again = 'while setpriv --pdeathsig KILL -- "$@"; do :; done';
    const words = ['-c', again, 'again', qemu, ...args, '-action', 'reboot=shutdown'];
    return new Machine(options, mac, tap, options.network.start('sh', words));
  }

  get isRunning(): boolean {
    return !this.#ended;
  }

  /** Cuts the power: what the machine had not written to its disk is lost. */
  async cutPower(): Promise<void> {
    if (this.#ended) return;
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // Powered off by itself meanwhile.
    }
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cutPower();
  }
}

/** `52:54:00:09:00:XX`. */
export function macAddress(number: number): string {
  return `52:54:00:09:00:${number.toString(16).padStart(2, '0')}`;
}

async function qemuArguments(options: MachineOptions, mac: string, tap: string): Promise<string[]> {
  const accel = await accelerator();
  const uefi = options.firmware === 'uefi';
  const args = [
    // Under TCG the plain qemu64 is the fastest: its SHA-256 runs in code that TCG translates well.
    ...['-accel', accel, '-cpu', accel === 'kvm' ? 'host' : 'qemu64', '-smp', '1'],
    ...[
      '-machine',
      `q35,graphics=off${options.secureBoot ? ',smm=on' : ''}`,
      '-m',
      String(options.memory ?? 1024),
      '-name',
      options.name,
    ],
    ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-user-config'],
    ...['-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    ...[
      '-smbios',
      `type=1,manufacturer=Imprint,product=Laboratory,serial=LAB${options.number},uuid=${uuid(options.number)}`,
    ],
  ];
  if (uefi) args.push(...(await uefiArguments(options)));
  // What is left of the firmware's ways to boot from a card.
  if (options.httpBoot)
    for (const way of ['IPv4PXE', 'IPv6PXE']) args.push('-fw_cfg', `name=opt/org.tianocore/${way}Support,string=no`);
  if (options.medium !== undefined) args.push(...mediumArguments(options.medium, options.virtioMedium));
  if (options.monitor !== undefined) args.push('-qmp', `unix:${options.monitor},server=on,wait=off`);
  if (options.watchdog) args.push('-device', 'i6300esb', '-action', 'watchdog=reset');
  if (options.kernel) {
    const { kernel, initrd, commandLine } = options.kernel;
    args.push('-kernel', kernel, '-initrd', initrd, '-append', commandLine);
  }
  // BIOS: QEMU's iPXE in the card's ROM. UEFI: the firmware's own PXE client, so the card gets no ROM.
  const bootFirst = options.kernel || options.fromDisk || options.medium ? '' : ',bootindex=1';
  args.push('-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no`);
  args.push(
    '-device',
    `virtio-net-pci,netdev=net0,mac=${mac}${uefi || options.fromDisk || options.medium ? ',romfile=' : ''}${bootFirst}`,
  );
  options.disks.forEach((each, index) => {
    const disk: MachineDisk = typeof each === 'string' ? { file: each } : each;
    const { file } = disk;
    const logged = index === 0 ? options.writeLog : undefined;
    if (logged !== undefined) args.push(...loggedDrive(`disk${index}`, file, logged));
    else args.push('-drive', `if=none,id=disk${index},file=${file},${format(file)},cache=unsafe,discard=unmap`);
    const order = options.kernel ? '' : `,bootindex=${index + 2}`;
    args.push('-device', `${diskDevice(disk, index)},serial=${disk.serial ?? `${options.name}-${index}`}${order}`);
  });
  return args;
}

function diskDevice({ bus = 'virtio', sectorSize }: MachineDisk, index: number): string {
  const device = { virtio: 'virtio-blk-pci', nvme: 'nvme', sata: `ide-hd,bus=ide.${index + 1}` }[bus];
  const sectors = sectorSize === undefined ? '' : `,logical_block_size=${sectorSize},physical_block_size=${sectorSize}`;
  return `${device},drive=disk${index}${sectors}`;
}

/** A raw disk can be changed from outside while its machine is off. */
function format(disk: string): string {
  return `format=${disk.endsWith('.raw') ? 'raw' : 'qcow2'}`;
}

function mediumArguments(medium: string, onVirtio = false): string[] {
  const drive = `if=none,id=medium,file=${medium},format=raw,readonly=on`;
  if (onVirtio) {
    const devices = ['-device', 'virtio-scsi-pci,id=scsi', '-device', 'scsi-cd,drive=medium,bus=scsi.0,bootindex=0'];
    return ['-drive', `${drive},media=cdrom`, ...devices];
  }
  if (medium.endsWith('.iso'))
    return ['-drive', `${drive},media=cdrom`, '-device', 'ide-cd,drive=medium,bus=ide.0,bootindex=0'];
  return ['-drive', drive, '-device', 'qemu-xhci', '-device', 'usb-storage,drive=medium,removable=on,bootindex=0'];
}

async function uefiArguments(options: MachineOptions): Promise<string[]> {
  const keys = options.secureBoot ? '.ms' : '';
  const variables = join(options.directory, `${options.name}${keys}.vars.fd`);
  // Own variables for each machine, kept from boot to boot as in a real one.
  await copyFile(join(ovmf, `OVMF_VARS_4M${keys}.fd`), variables, 1).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const code = join(ovmf, `OVMF_CODE_4M${keys}.fd`);
  return [
    ...(options.secureBoot ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    ...['-drive', `if=pflash,unit=0,readonly=on,format=raw,file=${code}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${variables}`],
  ];
}

function uuid(number: number): string {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}
