import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AgentObject,
  keptObjectSchema,
  type ObjectWish,
  objectFileLimit,
  objectStatement,
  type ServerObject,
} from '../contract/kept-object.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { keptObjects } from '../machine/carried-state.ts';
import type { MachineRecord } from '../machine/machine-state.ts';
import { ifThere } from '../store/directory-files.ts';
import { writeFilesDurably } from '../store/durable.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';
import type { DataPaths } from './data-paths.ts';
import { readNumbered, removeNumbered } from './numbered-records.ts';
import { findByMacs } from './recognise-machine.ts';
import { parseObjectFile } from './update/object-file.ts';

/** The objects of a machine that the server keeps, the newest first. */
export async function listObjects(paths: DataPaths, machine: string): Promise<ServerObject[]> {
  return readNumbered(directoryOf(paths, machine), keptObjectSchema);
}

/** What a machine's agent is told of its object; undefined: it stays on the machine. */
export async function objectWish(
  context: Context,
  machine: MachineRecord | undefined,
): Promise<ObjectWish | undefined> {
  if (machine?.rules?.object !== 'server') return undefined;
  const [last] = await listObjects(context.paths, machine.name);
  return { number: (last?.number ?? 0) + 1, ...(last && { digest: last.digest }) };
}

/**
 * Takes an object that a machine's agent sends, where a person asked for it. The first key that speaks for a machine after its install is its key
 * until the next; each number is taken once. Errors: `machine-not-found`, `object-refused`, `object-unfit`.
 */
export async function takeObject(context: Context, report: AgentObject): Promise<void> {
  const content = Buffer.from(report.content, 'base64');
  const sha256 = hash('sha256', content);
  const name = await changing(context, async ({ machines, time }) => {
    const found = await findByMacs(machines, report.macs);
    const [machine] = found;
    if (machine === undefined || found.length > 1) {
      throw new ImprintError('machine-not-found', { machine: report.macs.join(', ') });
    }
    const refuse = (problem: string) => new ImprintError('object-refused', { machine: machine.name, problem });
    const wish = await objectWish(context, machine);
    if (wish === undefined || !machine.approved) throw refuse('nobody asked the server to keep it');
    if (wish.number !== report.number) throw refuse(`number ${wish.number} is the next, not ${report.number}`);
    if (content.length > objectFileLimit) throw refuse('it is too large');
    const directory = directoryOf(context.paths, machine.name);
    const known = await ifThere(readFile(join(directory, keyName), 'utf8'));
    if (known !== undefined && known !== report.key) throw refuse('another key speaks for this machine');
    const statement = objectStatement(report.number, report.digest, sha256);
    if (!isSigned(statement, report.signature, parseKey(report.key))) throw refuse('its signature is wrong');
    const { created, entries, digest } = parseObjectFile(content);
    if (digest !== report.digest) throw refuse('it is another than it was said to be');
    const kept: ServerObject = {
      ...{ number: report.number, digest, bytes: content.length, sha256, created, received: time },
      files: entries.length,
    };
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const file = (suffix: string, text: string | Uint8Array) => ({
        path: join(directory, `${report.number}${suffix}`),
        content: text,
      });
      await writeFilesDurably(
        [
          { path: join(directory, keyName), content: report.key },
          file('.object', content),
          file('.json', `${JSON.stringify(kept)}\n`),
        ],
        directory,
      );
      await removeNumbered(directory, (await listObjects(context.paths, machine.name)).slice(keptObjects), '.object');
    } catch (thrown) {
      throw toImprintError(thrown);
    }
    return machine.name;
  });
  context.log.info({ machine: name, number: report.number, bytes: content.length }, 'an object was kept');
}

/** The newest object's file for the install of a machine; undefined where there is none, or nobody asked for it. */
export async function objectForInstall(context: Context, machine: MachineRecord): Promise<ServerObject | undefined> {
  if (machine.rules?.object !== 'server') return undefined;
  return (await listObjects(context.paths, machine.name))[0];
}

/** Bytes of an object's file. Errors: `object-refused` for any but the boot of the imager that installs the machine. */
export async function readObjectFor(
  context: Context,
  { order, session, number }: { order: string; session: string; number: number },
): Promise<Buffer> {
  const { machines } = await context.database();
  const machine = (await machines.all()).find((each) => each.order?.id === order);
  if (machine?.order?.phase !== 'running' || machine.order.session !== session) {
    throw new ImprintError('object-refused', { machine: 'This machine', problem: 'it is not being installed now' });
  }
  const kept = (await listObjects(context.paths, machine.name)).find((each) => each.number === number);
  if (kept === undefined || machine.rules?.object !== 'server') {
    throw new ImprintError('object-refused', { machine: machine.name, problem: `there is no object ${number}` });
  }
  return readFile(join(directoryOf(context.paths, machine.name), `${number}.object`));
}

/** Forgets all objects of a machine, and its key. Returns how many there were. */
export async function forgetObjects({ paths }: Pick<Context, 'paths'>, machine: string): Promise<number> {
  const { length } = await listObjects(paths, machine);
  await rm(directoryOf(paths, machine), { recursive: true, force: true });
  return length;
}

/** A machine that was installed anew has another key, or its old one again out of its object. */
export async function forgetObjectKey({ paths }: Pick<Context, 'paths'>, machine: string): Promise<void> {
  await rm(join(directoryOf(paths, machine), keyName), { force: true });
}

const keyName = 'key.pub';

function directoryOf({ objects }: DataPaths, machine: string): string {
  return join(objects, machine.toLowerCase());
}

function parseKey(text: string): KeyObject | undefined {
  try {
    const key = createPublicKey(text);
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

function isSigned(statement: string, signature: string, key: KeyObject | undefined): boolean {
  try {
    return key !== undefined && verify(null, Buffer.from(statement), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}
