import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import type { AgentObject } from '../contract/kept-object.ts';
import { systemClock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { parsePublicKey } from '../image/signature.ts';
import { agentFiles } from '../machine/agent-files.ts';
import { parseAgentSettings } from '../machine/agent-settings.ts';
import { finishMove } from '../operations/live/finish-move.ts';
import { readFirstBoot } from '../operations/update/first-boot-state.ts';
import { readHostRoom, relieveHost } from '../operations/update/host-room.ts';
import { rememberServerTime } from '../operations/update/machine-clock.ts';
import { keepServerRules } from '../operations/update/machine-rules.ts';
import { proveTrial } from '../operations/update/prove-trial.ts';
import { settleBoot } from '../operations/update/settle-boot.ts';
import { findThisMachine, lookAtMachine, openBoot, type ThisMachine } from '../operations/update/this-machine.ts';
import { updateLockPath } from '../operations/update/update-lock.ts';
import { ifThere } from '../store/directory-files.ts';
import { readMachineFacts } from '../system/machine-facts.ts';
import { systemProcesses } from '../system/run.ts';
import { setSystemTime } from '../system/set-time.ts';
import { agentClient } from './agent-client.ts';
import { type Agent, runAgent } from './agent-loop.ts';
import { runOrder } from './run-order.ts';
import { sendObject } from './send-object.ts';
import { watchRoom } from './watch-room.ts';

const processes = systemProcesses;
const clock = systemClock;
/** A clock that is this far off was never set. Less is for the machine's own time service. */
const clockTolerance = 24 * 3600 * 1000;
const timeKept = 12 * 3600 * 1000;

/** The agent of this machine, until the signal ends it. */
export async function runAgentHere(program: string, signal: AbortSignal): Promise<void> {
  const log = (message: string) => void process.stdout.write(`${message}\n`);
  const agent = await compose(program, signal, log);
  await Promise.all([runAgent(agent), watchHost(agent)]);
}

/** Where image files share blocks, and only there. */
async function watchHost({ signal, log }: Agent): Promise<void> {
  if ((await readHostRoom('/').catch(() => undefined)) === undefined) return;
  // What runs may get another name meanwhile: an image that somebody dropped.
  const relieve = () => relieveHost('/', () => findThisMachine({ processes, clock }));
  await watchRoom({ clock, signal, log, relieve });
}

async function compose(program: string, signal: AbortSignal, log: (message: string) => void): Promise<Agent> {
  let machine: ThisMachine | undefined;
  let seen = 0;
  let timeWritten = 0;
  const client = await findClient();
  const here = async (): Promise<ThisMachine> => {
    machine ??= await findThisMachine({ processes, clock });
    return machine;
  };
  return {
    ...{ program, clock, signal, log, ...(client === undefined ? {} : { client }) },
    session: randomBytes(16).toString('hex'),
    booted: Math.round(clock.now() - uptime() * 1000),
    settle: async () => {
      seen = await lockTime();
      await finishMove(processes).catch((thrown) => log(toImprintError(thrown).message));
      try {
        return await settleBoot(await here());
      } catch (thrown) {
        const error = toImprintError(thrown);
        if (error.code !== 'machine-unmanaged') throw thrown;
        log(error.message);
        return undefined;
      }
    },
    lookAgain: async () => {
      const now = await lockTime();
      if (now === seen || machine === undefined) return undefined;
      seen = now;
      // Settings and what runs may have changed with the version in place.
      machine = await findThisMachine({ processes, clock });
      return lookAtMachine(machine);
    },
    prove: async (view, serverReached) => {
      const proven = await proveTrial(await here(), view, { signal, log, ...(serverReached && { serverReached }) });
      // An image that somebody dropped runs as an entry of its own now.
      if (view.situation.kind === 'dropped') machine = await findThisMachine({ processes, clock });
      return proven;
    },
    forgetNote: async () => {
      await using boot = await openBoot(await here());
      await boot.writeUpdateNote(undefined);
    },
    readFacts: () => readMachineFacts(processes),
    readFirstBoot: () => readFirstBoot('/'),
    runOrder: (order, hooks) => runOrder(order, { processes, command: commandLineProgram(), ...hooks }),
    takeRules: async (rules) => {
      if (!(await keepServerRules('/', rules))) return;
      if (machine !== undefined) machine = await findThisMachine({ processes, clock });
    },
    keepObject: async (wish, facts) => {
      if ((await here()).settings.object === 'machine' || client === undefined) return undefined;
      const command = commandLineProgram();
      const send = (object: AgentObject) => client.object(object, signal);
      const said = await sendObject({ processes, command, root: '/', facts, wish, send, signal });
      if (said === 'taken') return `the server keeps what makes this machine itself (object ${wish.number})`;
      return said === 'same' ? undefined : 'the server refused what makes this machine itself; its log says why';
    },
    serverTime: async (time) => {
      if (Math.abs(clock.now() - time) > clockTolerance) await setSystemTime(processes, clock, time);
      if (Math.abs(time - timeWritten) < timeKept) return;
      timeWritten = time;
      await rememberServerTime('/', time);
    },
  };
}

/** The server, where the settings name one and its key is there. */
async function findClient() {
  const path = `/${agentFiles.settings}`;
  const settings = parseAgentSettings(await ifThere(readFile(path, 'utf8')), path);
  const key = await ifThere(readFile(`/${agentFiles.serverKey}`, 'utf8'));
  if (settings.server === undefined) return undefined;
  if (key === undefined) {
    throw new ImprintError('input-invalid', {
      field: path,
      problem: `the server’s key is missing: /${agentFiles.serverKey}`,
    });
  }
  return agentClient(settings.server, parsePublicKey(key));
}

/** When somebody last began or ended to change this machine's version. */
async function lockTime(): Promise<number> {
  return stat(updateLockPath).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

/** The command line beside this program: of the bundle, or of the sources. */
function commandLineProgram(): string[] {
  const name = import.meta.filename.endsWith('.mjs') ? 'imprint.mjs' : '../imprint.ts';
  return [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--max-semi-space-size=4',
    join(import.meta.dirname, name),
  ];
}
