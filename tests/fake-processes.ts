import { commandLine, type Processes, type ProcessResult } from '../src/system/run.ts';

/** Answers one command: its stdout, or a whole result, or an error to throw. */
export type FakeAnswer = string | Partial<ProcessResult> | Error;

export interface FakeProcesses extends Processes {
  /** Every command that was run, as one line each, with its input after `<<<`. */
  readonly commands: string[];
}

/** Processes for unit tests: none is started. `answer` sees the command line; undefined means status 0 and no output. */
export function fakeProcesses(answer: (command: string) => FakeAnswer | undefined = () => undefined): FakeProcesses {
  const commands: string[] = [];
  return {
    commands,
    async run(tool, args, options = {}) {
      const line = commandLine(tool, args);
      commands.push(options.input === undefined ? line : `${line} <<< ${Buffer.from(options.input).toString()}`);
      const given = answer(line);
      if (given instanceof Error) throw given;
      const result = typeof given === 'string' ? { stdout: given } : (given ?? {});
      return { stdout: '', stderr: '', status: 0, ...result };
    },
    start(tool) {
      throw new Error(`a unit test tried to start ${tool}`);
    },
    attach(tool) {
      throw new Error(`a unit test tried to start ${tool}`);
    },
  };
}
