import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type AgentObject, type ObjectWish, objectStatement } from '../contract/kept-object.ts';
import type { MachineFacts } from '../contract/machine.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { agentFiles } from '../machine/agent-files.ts';
import { ifThere } from '../store/directory-files.ts';
import type { Processes } from '../system/run.ts';
import type { Reception } from './signed-wire.ts';

/** Where the object's file lies until it was sent: in memory, for root alone. */
const objectFilePath = '/run/imprint/object';

export interface ObjectSending {
  processes: Processes;
  /** The command line's program: Node, its flags and the bundle's file. */
  command: readonly string[];
  root: string;
  facts: MachineFacts;
  wish: ObjectWish;
  send(object: AgentObject): Promise<Reception>;
  signal: AbortSignal;
}

/**
 * Has this machine's object kept at the server, where it has changed since the last: made by a process of its own, whose memory goes with it, and signed
 * with the machine's key. Resolves with what became of it; `same`: the server has it. Errors: those of `imprint object`, `server-unreachable`.
 */
export async function sendObject(sending: ObjectSending): Promise<Reception | 'same'> {
  const { wish, facts, root, send } = sending;
  try {
    // It is part of the object.
    const key = await machineKey(root);
    const digest = await saveToFile(sending);
    if (digest === wish.digest) return 'same';
    const content = await readFile(objectFilePath);
    const statement = objectStatement(wish.number, digest, hash('sha256', content));
    return await send({
      macs: facts.interfaces.map(({ mac }) => mac).slice(0, 64),
      ...{ number: wish.number, digest },
      key: createPublicKey(key).export({ format: 'pem', type: 'spki' }).toString(),
      signature: sign(null, Buffer.from(statement), key).toString('base64'),
      content: content.toString('base64'),
    });
  } finally {
    await rm(objectFilePath, { force: true });
  }
}

async function saveToFile({ processes, command, signal }: ObjectSending): Promise<string> {
  const [program = process.execPath, ...flags] = command;
  const { stdout } = await processes.run(program, [...flags, 'object', objectFilePath, '--json'], {
    timeout: 600_000,
    signal,
  });
  const { digest } = JSON.parse(stdout) as { digest?: unknown };
  if (typeof digest === 'string') return digest;
  throw new ImprintError('internal', { problem: 'the object’s digest was not told' });
}

/** This machine's own key; made when it is first needed. It goes along with the machine's identity, also to the hardware that replaces it. */
export async function machineKey(root: string): Promise<KeyObject> {
  const path = join(root, agentFiles.machineKey);
  const text = await ifThere(readFile(path, 'utf8'));
  if (text !== undefined) return createPrivateKey(text);
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    await mkdir(dirname(path), { recursive: true });
    await using file = await open(`${path}.new`, 'w', 0o600);
    await file.writeFile(privateKey.export({ format: 'pem', type: 'pkcs8' }));
    await file.sync();
    await rename(`${path}.new`, path);
  } catch (thrown) {
    throw toImprintError(thrown);
  }
  return privateKey;
}
