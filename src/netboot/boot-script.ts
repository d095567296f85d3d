/**
 * iPXE scripts: what a machine that boots from the network is told to do. Only commands that iPXE of 2019 (Debian 12)
 * knows are used. Source: https://ipxe.org/cmd
 */

/** What the server decided for one machine. */
export type BootDecision =
  /** Start the imager: for a machine that has an order, or that nobody knows yet. */
  | { kind: 'imager' }
  /** Go on with the machine's own disk. */
  | { kind: 'disk' };

/** What iPXE says of the machine (`${platform}`, `${netX/mac}`), and what the operator adds. */
export interface BootScriptOptions {
  /** URL of the server as the machine sees it, without a slash at its end: `http://10.9.0.1:8080`. */
  server: string;
  /** `${platform}` of iPXE: `pcbios` or `efi`; anything else is treated as `pcbios`. */
  platform: string;
  /** MAC address of the interface that iPXE booted from, `52:54:00:12:34:56`; the imager brings up that one. */
  mac?: string;
  /** The machine's name, to be shown on its screen. */
  machine?: string;
  /** Added to the kernel's command line, last: `nomodeset console=ttyS1,115200`. */
  kernelOptions?: string;
}

/** Paths below the server's URL that the scripts name: the server's routes must agree. */
export const bootPaths = {
  /** The script for every machine: asks for its own (`renderChainScript`). */
  chain: '/boot/boot.ipxe',
  script: '/boot/script',
  kernel: '/boot/vmlinuz',
  initrd: '/boot/initrd.img',
  /** What both are, and the server's signature of that: for a machine that takes them onto its disk. */
  record: '/boot/imager.json',
  signature: '/boot/imager.json.minisig',
  /** An EFI program that starts the boot loader on the machine's own disk. */
  localDisk: '/boot/localdisk.efi',
} as const;

/** The script for one machine: the answer to `GET /boot/script`, `text/plain`. */
export function renderBootScript(decision: BootDecision, options: BootScriptOptions): string {
  const lines = decision.kind === 'imager' ? imagerLines(options) : diskLines(options);
  return `#!ipxe\n${lines.join('\n')}\n`;
}

/**
 * The script that dnsmasq hands out by TFTP, the same for every machine: asks the server what to do. A server that does
 * not answer is asked `attempts` times, some 10 seconds apart; then the machine goes on with its own disk, so that a dead
 * server never stops a machine that works.
 *
 * @param server URL of the server as machines see it, without a slash at its end.
 */
export function renderChainScript(server: string, attempts = 6): string {
  return [
    '#!ipxe',
    `echo Imprint: asking ${shown(server)} what to do`,
    'set attempt:int32 0',
    ':ask',
    `chain --replace --autofree --timeout 15000 ${scriptUrl(server)} || goto unanswered`,
    ':unanswered',
    'inc attempt',
    `iseq \${attempt} ${attempts} && goto disk ||`,
    `echo Imprint: ${shown(server)} does not answer (\${attempt} of ${attempts}); trying again in 10 seconds`,
    'sleep 10',
    'goto ask',
    ':disk',
    `echo Imprint: ${shown(server)} does not answer; going on with the disk of this machine`,
    'goto local-${platform} || goto local-pcbios',
    ...localDisk(),
    '',
  ].join('\n');
}

/**
 * The kernel's command line of the imager. `initrd=` is for the kernel's EFI stub, which finds the image by that name.
 */
export function imagerCommandLine({ server, mac, kernelOptions }: BootScriptOptions): string {
  const words = ['initrd=initrd.img', `imprint.server=${server}`];
  if (mac !== undefined) words.push(`BOOTIF=01-${mac.toLowerCase().replaceAll(':', '-')}`);
  words.push('loglevel=4', 'console=tty0', 'console=ttyS0,115200');
  if (kernelOptions !== undefined && kernelOptions.trim() !== '') words.push(singleLine(kernelOptions.trim()));
  return words.join(' ');
}

function imagerLines(options: BootScriptOptions): string[] {
  const { server } = options;
  return [
    `echo Imprint: ${shown(options.machine ?? 'this machine')} starts the imager from ${shown(server)}`,
    ':load',
    'imgfree',
    `kernel ${server}${bootPaths.kernel} ${imagerCommandLine(options)} || goto failed`,
    `initrd ${server}${bootPaths.initrd} || goto failed`,
    'boot || goto failed',
    ':failed',
    // What stands in the way may be gone or another answer may be due, so the server is asked again, not the file.
    'echo Imprint: the imager cannot be loaded; trying again in 10 seconds',
    'sleep 10',
    `chain --replace --autofree --timeout 15000 ${scriptUrl(server)} || goto load`,
  ];
}

function diskLines(options: BootScriptOptions): string[] {
  return [
    `echo Imprint: ${shown(options.machine ?? 'this machine')} boots from its disk`,
    `goto local-${options.platform === 'efi' ? 'efi' : 'pcbios'}`,
    ...localDisk(options.server),
  ];
}

/** The BIOS's numbers of the first disks: the installed one need not be the first, and a disk without boot code fails at once. */
const biosDrives = ['0x80', '0x81', '0x82', '0x83'] as const;

/**
 * BIOS: the first disk's boot record, else the firmware's next choice. UEFI: iPXE of 2019 cannot start what is on a local disk,
 * so it loads a small GRUB that can. Failing that, an exit with an error makes the firmware go on to its next boot entry
 * (after a success it would stop in its menu); that may be another try of the network, so it takes longer.
 */
function localDisk(server?: string): string[] {
  const loader = server === undefined ? [] : [`chain --timeout 15000 ${server}${bootPaths.localDisk} ||`];
  const disks = biosDrives.map((drive) => `sanboot --no-describe --drive ${drive} ||`);
  return [':local-pcbios', ...disks, 'exit 1', ':local-efi', ...loader, 'exit 1'];
}

function scriptUrl(server: string): string {
  return `${server}${bootPaths.script}?mac=\${netX/mac}&uuid=\${uuid}&platform=\${platform}&buildarch=\${buildarch}`;
}

/** Text for `echo`: iPXE would expand `${…}` and end the line at `||`, `&&` or a line break. */
function shown(text: string): string {
  return text.replaceAll(/[^\w .:/@-]/g, '_');
}

function singleLine(text: string): string {
  return text.replaceAll(/[\x00-\x1f\x7f]+/g, ' ');
}
