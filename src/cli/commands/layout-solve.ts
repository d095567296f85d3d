import type { DiskFacts, MachineFacts } from '../../contract/machine.ts';
import { type LayoutSolutionValue, layoutSolve } from '../../contract/operations/layouts.ts';
import { machineList } from '../../contract/operations/machines.ts';
import { formatBytes, parseBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { solveNamedLayout } from '../../operations/layouts/solve-layout.ts';
import type { Invocation } from '../command.ts';
import { describeSolution } from '../layout-words.ts';
import { readNamedLayout } from '../named-layout.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint layout solve LAYOUT [--machine RANGE] [--disk SIZE]… [--image REF]`: what would land where, and what would be lost. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const image = invocation.text('image');
  const layout = await readNamedLayout(invocation.argument(0));
  const context = await session.context();
  const solve = ({ name, disks, firmware }: Facts) => {
    const kind = (invocation.text('firmware') ?? firmware) as Facts['firmware'];
    const machine = { machine: name, disks, firmware: kind };
    const input = parseInput(layoutSolve.input, { ...layout, ...machine, ...(image === undefined ? {} : { image }) });
    return solveNamedLayout(context, input);
  };
  const [only, ...others] = await factsOf(session, invocation);
  if (only === undefined) throw new ImprintError('machine-not-found', { machine: invocation.text('machine') ?? '' });
  if (others.length === 0) {
    const solution = await solve(only);
    session.result(solution, () => describeSolution(solution, session.stdout));
    return;
  }
  const outcomes: Outcome[] = [];
  for (const facts of [only, ...others]) outcomes.push(await outcomeOf(facts.name, () => solve(facts)));
  session.result(
    {
      machines: outcomes.map(({ machine, solution, refused }) => ({ machine, solution, refused: refused?.toValue() })),
    },
    () => outcomeTable(session, outcomes),
  );
  const refused = outcomes.find((each) => each.refused !== undefined)?.refused;
  if (refused) throw refused;
}

interface Facts extends Pick<MachineFacts, 'disks' | 'firmware'> {
  name: string;
}

/** How it is for one machine of several. */
interface Outcome {
  machine: string;
  solution?: LayoutSolutionValue;
  refused?: ImprintError;
}

async function outcomeOf(machine: string, solve: () => Promise<LayoutSolutionValue>): Promise<Outcome> {
  try {
    return { machine, solution: await solve() };
  } catch (error) {
    // A layout that is none is none for all of them.
    if (!(error instanceof ImprintError) || error.exitStatus !== 4) throw error;
    return { machine, refused: error };
  }
}

/** One line for each machine; the drawing is for one at a time. */
function outcomeTable(session: Session, outcomes: readonly Outcome[]): string {
  const { paint } = session.stdout;
  const columns = [{ title: 'MACHINE' }, { title: 'DISKS' }, { title: 'WOULD LOSE', shrink: true }];
  const rows = outcomes.map(({ machine, solution, refused }) => {
    if (refused !== undefined) return [machine, paint('red', 'refused'), refused.message];
    const disks = solution?.disks.map(({ before }) => before.path).join(', ') ?? '';
    const lost =
      solution?.lost.map(({ path, what, bytes }) => `${path} ${what} ${formatBytes(bytes)}`).join('; ') ?? '';
    return [machine, disks, lost === '' ? paint('green', 'nothing') : lost];
  });
  return printTable(session.stdout, columns, rows);
}

/** Disks that are only thought of, those of machines that the server knows, or those of this machine. */
async function factsOf(session: Session, invocation: Invocation): Promise<Facts[]> {
  const imagined = invocation.list('disk');
  const range = invocation.text('machine');
  if (imagined.length > 0 && range !== undefined) {
    throw new ImprintError('usage', {
      problem: '--disk and --machine exclude each other.',
      hint: 'Leave one of them away.',
    });
  }
  if (imagined.length > 0) return [{ name: 'MACHINE', disks: imagined.map(imaginedDisk), firmware: 'uefi' }];
  if (range !== undefined) {
    const { machines } = await callServer(session, machineList, { machines: range });
    return machines.map(({ name, facts }) => {
      if (facts !== undefined) return { name, disks: facts.disks, firmware: facts.firmware };
      const problem = `${name} was never seen, so its disks are not known`;
      throw new ImprintError('input-invalid', { field: 'machine', problem });
    });
  }
  const { readMachineFacts } = await import('../../system/machine-facts.ts');
  const context = await session.context();
  const { disks, firmware } = await readMachineFacts(context.processes);
  return [{ name: 'this machine', disks, firmware }];
}

/** `500G`, or with the size of its sectors `4T/4096`: an empty disk. */
function imaginedDisk(text: string, index: number): DiskFacts {
  const [sizeText = '', sectors = '512'] = text.split('/');
  const size = parseBytes(sizeText);
  const sectorSize = Number(sectors);
  if (size === undefined || (sectorSize !== 512 && sectorSize !== 4096)) {
    const problem = `“${text}” is no disk; write its size, 500G, or with sectors of 4096 bytes 500G/4096`;
    throw new ImprintError('input-invalid', { field: '--disk', problem });
  }
  const path = `/dev/sd${String.fromCharCode('a'.charCodeAt(0) + index)}`;
  return { path, size, sectorSize, removable: false, readOnly: false, content: 'empty', inUse: [], partitions: [] };
}
