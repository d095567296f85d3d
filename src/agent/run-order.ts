import { createInterface } from 'node:readline';
import type { AgentOrder } from '../contract/agent-protocol.ts';
import { type UpdateResult, updateResultSchema } from '../contract/operations/updates.ts';
import { errorValueSchema, parseTaskEvent } from '../contract/task-event.ts';
import type { UpdateOptions } from '../contract/update.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import type { Processes } from '../system/run.ts';

/** An order that changes this machine. */
export type WorkOrder = Exclude<AgentOrder['order'], { kind: 'wait' }>;

export interface OrderRun {
  processes: Processes;
  /** The command line's program: Node, its flags and the bundle's file. */
  command: readonly string[];
  /** Its events, as those of the order's task. */
  event(event: TaskEvent): void;
  /** Called with the result as soon as it is there: the machine may go down soon after. */
  staged(result: UpdateResult): void;
  signal: AbortSignal;
}

/** Name of the variable by which the command knows that it works for the agent. */
const orderVariable = 'IMPRINT_ORDER';

/**
 * Carries out an order by a command line of its own process, whose memory goes with it. Resolves with the result; rejects with the error that it
 * ended with. A command that restarts the machine does not end before.
 */
export async function runOrder(order: WorkOrder, run: OrderRun): Promise<UpdateResult> {
  const [program = process.execPath, ...flags] = run.command;
  const child = run.processes.start(program, [...flags, ...argumentsOf(order)], {
    env: { [orderVariable]: order.id },
    accept: Array.from({ length: 256 }, (_, status) => status),
    signal: run.signal,
  });
  child.stdin.end();
  let result: UpdateResult | undefined;
  let failure: ImprintError | undefined;
  const [{ status, stderr }] = await Promise.all([
    child.ended,
    readLines(child.stdout, (value) => {
      const { success, data } = updateResultSchema.safeParse(value);
      if (!success) return;
      result = data;
      run.staged(data);
    }),
    readLines(child.stderr, (value) => {
      const event = parseTaskEvent(value);
      if (event === undefined) failure = failureIn(value) ?? failure;
      else if (!endsCommand(event)) run.event(ownEvent(event, order));
    }),
  ]);
  if (result !== undefined) return result;
  throw failure ?? new ImprintError('process-failed', { command: order.kind, status: `status ${status}`, stderr });
}

/** The arguments that carry out an order: the version by its digest, so that it is that one and no other. */
export function argumentsOf(order: WorkOrder): string[] {
  const always = ['--json', '--yes', ...optionArguments(order.options)];
  if (order.kind === 'update')
    return ['update', '--image', `${order.store}#${byDigest(order.image, order.digest)}`, ...always];
  if (order.to === undefined) return ['revert', ...always];
  return ['revert', '--to', byDigest(order.to.image, order.to.digest), '--store', order.store, ...always];
}

function byDigest(image: string, digest: string): string {
  return `${image.split(':')[0]}@${digest}`;
}

function optionArguments(options: UpdateOptions): string[] {
  const { inPlace, slot, tries, reboot, drift, restartServices, rate } = options;
  return [
    ...(inPlace ? ['--in-place'] : []),
    ...(slot === undefined ? [] : ['--slot', slot]),
    ...(tries === undefined ? [] : ['--tries', String(tries)]),
    ...(reboot === undefined ? [] : ['--reboot', reboot]),
    ...(drift === undefined ? [] : ['--drift', drift]),
    ...(restartServices ? ['--restart-services'] : []),
    ...(rate === undefined ? [] : ['--rate', String(rate)]),
  ];
}

/** The end of the command is not the end of the order: what is written has to be proven, and the outcome is told by itself. */
function endsCommand({ path, kind }: TaskEvent): boolean {
  return path.length === 1 && (kind === 'finished' || kind === 'failed');
}

/** The event as one of the order's task, whose root the server calls by the task's title. */
function ownEvent(event: TaskEvent, order: WorkOrder): TaskEvent {
  const image = order.kind === 'update' ? order.image : (order.to?.image ?? 'the version before');
  return { ...event, taskId: order.id, path: [`${order.kind} ${order.name} to ${image}`, ...event.path.slice(1)] };
}

function failureIn(value: object): ImprintError | undefined {
  const { success, data } = errorValueSchema.safeParse('error' in value ? value.error : undefined);
  return success ? ImprintError.fromValue(data) : undefined;
}

/** Hands over the object of each line that is one. Reads on where `take` throws, lest the process be held up or end by it, and throws that then. */
async function readLines(stream: NodeJS.ReadableStream, take: (value: object) => void): Promise<void> {
  const thrown: unknown[] = [];
  for await (const line of createInterface({ input: stream })) {
    const value = parseObject(line);
    try {
      if (value !== undefined) take(value);
    } catch (error) {
      thrown.push(error);
    }
  }
  if (thrown.length > 0) throw thrown[0];
}

/** Undefined for a line that is none of ours. */
function parseObject(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
