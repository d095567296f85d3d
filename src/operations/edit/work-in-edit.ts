import { ImprintError } from '../../foundation/errors.ts';
import { runEnclosed } from '../../system/enclosure.ts';
import { makeMountPoints } from '../../system/enclosure-points.ts';
import { rootFiles } from '../../system/root-files.ts';
import type { AttachedStream } from '../../system/run.ts';
import type { Context } from '../context.ts';
import type { HeldEdit } from './edit-folder.ts';
import { type EditState, writeEditState } from './edit-state.ts';

/** Where the command's words come from and go to. */
export interface Surroundings {
  streams: readonly [AttachedStream, AttachedStream, AttachedStream];
  /** Told every line of those streams that are pipes. */
  onLine?: (line: string) => void;
  /** Of the caller: of it only `TERM` and the proxies reach the command. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Whether a person sits there. */
  interactive: boolean;
  /** Further variables, for all that runs in the tree. */
  variables?: Readonly<Record<string, string>>;
  signal: AbortSignal;
}

/** Of the caller's environment: how its terminal is spoken to, and how packages are fetched. */
const passedOn = [
  'TERM',
  'COLORTERM',
  'http_proxy',
  'https_proxy',
  'ftp_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
];

/**
 * Runs a command in the tree of an edit, or a shell where none is given.
 *
 * @returns its exit status
 * Errors: `edit-unfit` where there is nothing to run, those of `runEnclosed`, `interrupted`.
 */
export async function workInEdit(
  context: Context,
  edit: HeldEdit,
  state: EditState,
  command: readonly string[],
  around: Surroundings,
): Promise<number> {
  const { root } = edit.place;
  const [tool, ...args] = command.length > 0 ? command : [await findShell(state, root)];
  if (tool === undefined) throw new ImprintError('internal', { problem: 'an empty command' });
  await makeMountPoints(root, state.missing);
  const writing = makeDurable(context, edit, state);
  try {
    const { resolvConf, policy } = state;
    return await runEnclosed(
      context.processes,
      {
        root,
        hostName: await hostNameOf(root, state.image),
        ...(resolvConf === undefined ? {} : { resolvConf }),
        ...(policy === undefined ? {} : { policy }),
      },
      {
        command: [tool, ...args],
        env: environmentOf(state, around),
        streams: around.streams,
        ...(around.onLine === undefined ? {} : { onLine: around.onLine }),
        lock: edit.lock.fd,
        signal: around.signal,
      },
    );
  } finally {
    await writing.stop();
  }
}

/** Writes the tree to the disk while it is worked in, and then down that it is there: what a power cut leaves after that is good. */
function makeDurable(context: Context, edit: HeldEdit, state: EditState): { stop(): Promise<void> } {
  if (state.durable) return { stop: async () => {} };
  const ending = new AbortController();
  let noted: Promise<void> | undefined;
  const { signal } = ending;
  context.processes
    .run('sync', ['--file-system', edit.place.directory], { signal })
    .then(() => {
      if (signal.aborted) return undefined;
      state.durable = true;
      noted = writeEditState(edit.place, state);
      return noted;
    })
    // The work was short, or the disk will say the same again where it matters.
    .catch(() => {});
  return {
    // Not waited for: the disk may be busy for others.
    stop: async () => {
      ending.abort();
      await noted?.catch(() => {});
    },
  };
}

async function findShell(state: EditState, root: string): Promise<string> {
  const files = rootFiles(root);
  for (const shell of ['/bin/bash', '/bin/sh']) if (await files.exists(shell.slice(1))) return shell;
  throw new ImprintError('edit-unfit', {
    reference: state.from,
    problem: 'there is no shell in it (/bin/sh)',
    hint: 'It is no whole system: check it out (imprint image checkout), change it there, and capture that directory.',
  });
}

/** The tree's own name, so that what packages make of it is what the machine would have made. */
async function hostNameOf(root: string, image: string): Promise<string> {
  const text = await rootFiles(root).read('etc/hostname');
  const name = text?.split('\n').find((line) => /^[A-Za-z0-9][A-Za-z0-9.-]{0,63}\s*$/.test(line));
  return (name ?? image.replaceAll(/[^a-z0-9.-]/g, '-')).trim().slice(0, 64);
}

function environmentOf(state: EditState, around: Surroundings): Record<string, string> {
  const own = Object.fromEntries(
    passedOn.flatMap((name) => {
      const value = around.environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return {
    ...own,
    HOME: '/root',
    USER: 'root',
    LOGNAME: 'root',
    LANG: 'C.UTF-8',
    // No service manager runs in there, and none is to be asked.
    SYSTEMD_OFFLINE: '1',
    IMPRINT_EDIT: state.id,
    // What was typed is no part of the image.
    HISTFILE: '/dev/null',
    // Debian's shells show it in their prompt.
    debian_chroot: state.from,
    ...(around.interactive ? {} : { DEBIAN_FRONTEND: 'noninteractive' }),
    ...around.variables,
  };
}
