import type { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';

/** What is said when a phase was written down. */
export const phaseWords = {
  copying: 'copying',
  copied: 'All of it is on the disk: the server, or the medium, is not needed any more.',
  merging: 'What was changed meanwhile goes to its place.',
  done: 'The root is the partition alone.',
} as const;

/** Says that the source cannot be read, or (no problem) that it can again; `others` hear of it, too. */
export function tellSource(
  task: Task,
  problem: string | undefined,
  others: (problem: string | undefined) => void = () => {},
): void {
  others(problem);
  if (problem === undefined) task.log('The store answers again.');
  else task.warn(`${problem} The system waits for what it has not read yet, and asks again.`);
}

/** What those who work in a system hear of its source; `from`: what that is. */
export function sourceWords(from: string, problem: string | undefined): string {
  if (problem === undefined) return `This system can read ${from} again.`;
  return `This system cannot read ${from}: ${problem} What it has not read yet is waited for. Plug it in again: it goes on by itself.`;
}

/** What those who work in a system hear where its move broke off. */
export function brokenWords(device: string, { code, message }: Pick<ImprintError, 'code' | 'message'>): string {
  const words =
    code === 'live-changes-lost'
      ? 'Its root cannot be read any more: restart the machine. What had been synced before the disk failed is there, as long as that can be read.'
      : 'The system runs on. Look at the disk (dmesg); the same order, given once more, goes on.';
  return `The move of this system onto ${device} broke off. ${message} ${words}`;
}
