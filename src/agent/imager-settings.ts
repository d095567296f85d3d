import { splitKernelOptions } from '../machine/kernel-options.ts';

/** What the imager must know before it can ask. */
export interface ImagerSettings {
  /** URL of the server. */
  server?: string;
  /** Which medium the machine booted from (`imprint.medium=`); absent: from the network. */
  medium?: string;
  /** A fixed address, and the card that it is for (`imprint.net.…=`, `BOOTIF=`): of a machine that runs, whose system is about to be replaced. */
  address?: ImagerAddress;
  /** Path of the public key file. */
  keyFile: string;
  /** Directory with what is trusted for versions (`docs/trust.md`); need not be there. */
  trustDirectory: string;
  /** How a person gets a shell on this console. */
  shellHint: string;
}

/** As `local.cfg` would say it. */
export interface ImagerAddress {
  network: { address: string; prefix: number; gateway?: string; dns: string[] };
  mac?: string;
}

const defaults: ImagerSettings = {
  keyFile: '/etc/imprint/server.pub',
  trustDirectory: '/etc/imprint/trust',
  shellHint: 'The machine stays up and waits for a new order. A shell: Alt+F2 on the screen, Enter on a serial line.',
};

/**
 * The settings: from `--server URL` and `--key FILE`, else the environment (`IMPRINT_SERVER`, `IMPRINT_KEY`,
 * `IMPRINT_SHELL_HINT`), else the kernel's command line (`imprint.server=URL`).
 */
export function imagerSettings(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  kernelCommandLine: string,
): ImagerSettings {
  const argument = (name: string) => {
    const index = args.indexOf(name);
    return index < 0 ? undefined : args[index + 1];
  };
  const words = splitKernelOptions(kernelCommandLine);
  const fromKernel = (name: string) => words.findLast((option) => option.startsWith(name))?.slice(name.length);
  const server = argument('--server') ?? environment.IMPRINT_SERVER ?? fromKernel('imprint.server=');
  const medium = fromKernel('imprint.medium=');
  const address = addressFrom(words);
  return {
    ...(server ? { server } : {}),
    ...(medium ? { medium } : {}),
    ...(address ? { address } : {}),
    keyFile: argument('--key') ?? environment.IMPRINT_KEY ?? defaults.keyFile,
    trustDirectory: environment.IMPRINT_TRUST_DIRECTORY ?? defaults.trustDirectory,
    shellHint: environment.IMPRINT_SHELL_HINT ?? defaults.shellHint,
  };
}

function addressFrom(words: readonly string[]): ImagerAddress | undefined {
  const values = (name: string) =>
    words.filter((word) => word.startsWith(`${name}=`)).map((word) => word.slice(name.length + 1));
  const [, address, prefix] = /^([\d.]+)\/(\d{1,2})$/.exec(values('imprint.net.address').at(-1) ?? '') ?? [];
  if (address === undefined) return undefined;
  const gateway = values('imprint.net.gateway').at(-1);
  const mac = /^01-((?:[\da-f]{2}-){5}[\da-f]{2})$/i.exec(values('BOOTIF').at(-1) ?? '')?.[1];
  return {
    network: {
      ...{ address, prefix: Number(prefix), dns: values('imprint.net.dns') },
      ...(gateway !== undefined && { gateway }),
    },
    ...(mac !== undefined && { mac: mac.toLowerCase().replaceAll('-', ':') }),
  };
}
