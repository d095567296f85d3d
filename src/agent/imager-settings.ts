import { splitKernelOptions } from '../machine/kernel-options.ts';

/** What the imager must know before it can ask. */
export interface ImagerSettings {
  /** URL of the server. */
  server?: string;
  /** Which medium the machine booted from (`imprint.medium=`); absent: from the network. */
  medium?: string;
  /** Path of the public key file. */
  keyFile: string;
  /** Directory with what is trusted for versions (`docs/trust.md`); need not be there. */
  trustDirectory: string;
  /** How a person gets a shell on this console. */
  shellHint: string;
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
  return {
    ...(server ? { server } : {}),
    ...(medium ? { medium } : {}),
    keyFile: argument('--key') ?? environment.IMPRINT_KEY ?? defaults.keyFile,
    trustDirectory: environment.IMPRINT_TRUST_DIRECTORY ?? defaults.trustDirectory,
    shellHint: environment.IMPRINT_SHELL_HINT ?? defaults.shellHint,
  };
}
