import type { RebootMethod } from '../contract/update.ts';

/** What is known where a machine has to come to its new version. */
export interface RestartSituation {
  asked: RebootMethod;
  /** The root that runs has become the new version; else another one is to be booted. */
  inPlace: boolean;
  /** Why what runs must be restarted; empty: it need not be. */
  reasons: readonly string[];
  /** The kernel that runs, and its initial RAM disk, are the new version's too: what a soft reboot passes over would be committed without having been started. */
  sameKernel: boolean;
  /** The program is there. */
  hasKexec: boolean;
  /** Why the kernel takes no other one by kexec, in words; absent: it does. */
  kexecRefused?: string;
  /** The root lies in an image file. */
  rootInFile: boolean;
  /** Version of the systemd that runs; 0 where it is unknown. */
  systemd: number;
}

/** The way that is taken, and in words why not the one that was asked for. */
export interface RestartChoice {
  method: Exclude<RebootMethod, 'auto'>;
  remarks: string[];
}

/** systemd from this version on restarts all but the kernel, and lets a process live that watches it meanwhile. */
const softRebootSince = 255;

/**
 * How a machine restarts. `full` is the only way that everything takes; the quicker ones are taken where they were asked for and are safe, and
 * where they are not, the machine restarts in full and says so.
 */
export function chooseRestart(situation: RestartSituation): RestartChoice {
  const { asked, inPlace, reasons } = situation;
  if (asked === 'none') return { method: 'none', remarks: [] };
  if (inPlace && reasons.length === 0) return { method: 'none', remarks: [] };
  if (asked === 'soft') {
    const problem = softProblem(situation);
    return problem === undefined ? { method: 'soft', remarks: [] } : instead('A soft reboot', problem);
  }
  if (asked === 'kexec') {
    const problem = kexecProblem(situation);
    return problem === undefined ? { method: 'kexec', remarks: [] } : instead('kexec', problem);
  }
  return { method: 'full', remarks: [] };
}

function softProblem({ inPlace, sameKernel, rootInFile, systemd }: RestartSituation): string | undefined {
  if (!inPlace) return 'another root has to be mounted';
  if (!sameKernel) return 'the kernel, or its initial RAM disk, is another one';
  if (rootInFile) return 'the root lies in an image file, whose host partition would have to stay mounted';
  if (systemd < softRebootSince) return `it needs systemd ${softRebootSince}, and this is ${systemd || 'unknown'}`;
  return undefined;
}

function kexecProblem({ hasKexec, kexecRefused }: RestartSituation): string | undefined {
  if (!hasKexec) return 'the program kexec is not here (package kexec-tools)';
  return kexecRefused;
}

function instead(what: string, problem: string): RestartChoice {
  return { method: 'full', remarks: [`${what} is not possible: ${problem}. The machine restarts in full.`] };
}
