import type { EditStage } from '../operations/edit/edit-image.ts';
import type { Session } from './session.ts';

/** The terminal of a session, for a shell or a command that runs inside an image. */
export function editStage(session: Session): EditStage {
  const { json } = session.globals;
  return {
    // With --json, stdout is for the result alone.
    streams: ['inherit', json ? 2 : 'inherit', 'inherit'],
    environment: session.environment,
    interactive: session.canAsk,
    signal: session.signal,
    step: (name, work) => session.task(name, work),
    attend: async (work) => {
      session.closeProgress();
      return withoutInterrupts(work);
    },
    say: (text) => session.say(text),
  };
}

/**
 * While another program has the terminal, Ctrl-C is meant for that one: it gets the signal as well, and says by its exit status what came
 * of it.
 */
async function withoutInterrupts<Result>(work: () => Promise<Result>): Promise<Result> {
  const listeners = process.listeners('SIGINT');
  const ignore = () => {};
  process.removeAllListeners('SIGINT');
  process.on('SIGINT', ignore);
  try {
    return await work();
  } finally {
    process.off('SIGINT', ignore);
    for (const listener of listeners) process.on('SIGINT', listener);
  }
}
