import type { DiskFacts, MachineFacts } from '../../contract/machine.ts';
import { layoutSolve } from '../../contract/operations/layouts.ts';
import { machineShow } from '../../contract/operations/machines.ts';
import { parseBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { solveNamedLayout } from '../../operations/layouts/solve-layout.ts';
import type { Invocation } from '../command.ts';
import { describeSolution } from '../layout-words.ts';
import { readNamedLayout } from '../named-layout.ts';
import { parseInput } from '../parse-input.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint layout solve LAYOUT [--machine NAME] [--disk SIZE]… [--image REF]`: what would land where, and what would be lost. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const image = invocation.text('image');
  const facts = await factsOf(session, invocation);
  const firmware = invocation.text('firmware') ?? facts.firmware;
  const input = parseInput(layoutSolve.input, {
    ...(await readNamedLayout(invocation.argument(0))),
    ...{ machine: facts.name, disks: facts.disks, firmware: firmware as 'bios' | 'uefi' },
    ...(image === undefined ? {} : { image }),
  });
  const solution = await solveNamedLayout(await session.context(), input);
  session.result(solution, () => describeSolution(solution, session.stdout));
}

interface Facts extends Pick<MachineFacts, 'disks' | 'firmware'> {
  name: string;
}

/** Disks that are only thought of, those of a machine that the server knows, or those of this machine. */
async function factsOf(session: Session, invocation: Invocation): Promise<Facts> {
  const imagined = invocation.list('disk');
  const machine = invocation.text('machine');
  if (imagined.length > 0 && machine !== undefined) {
    throw new ImprintError('usage', {
      problem: '--disk and --machine exclude each other.',
      hint: 'Leave one of them away.',
    });
  }
  if (imagined.length > 0)
    return { name: 'a machine with such disks', disks: imagined.map(imaginedDisk), firmware: 'uefi' };
  if (machine !== undefined) {
    const { name, facts } = await callServer(session, machineShow, { machine });
    if (facts !== undefined) return { name, disks: facts.disks, firmware: facts.firmware };
    throw new ImprintError('input-invalid', {
      field: 'machine',
      problem: `${name} was never seen, so its disks are not known`,
    });
  }
  const { readMachineFacts } = await import('../../system/machine-facts.ts');
  const context = await session.context();
  const { disks, firmware } = await readMachineFacts(context.processes);
  return { name: 'this machine', disks, firmware };
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
