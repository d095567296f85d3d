import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { Qmp } from './qmp.ts';
import type { ProcessResult } from './run.ts';

/** QEMU, as far as its monitor goes: greets, answers each command by `answer`, and tells of events between. */
function fakeQemu(answer: (command: string) => object) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let end: (error: Error) => void = () => {};
  const ended = new Promise<ProcessResult>((_, reject) => {
    end = reject;
  });
  ended.catch(() => {});
  stdout.write('{"QMP": {"version": {}}}\r\n');
  stdin.on('data', (piece: Buffer) => {
    for (const line of piece.toString().split('\n').filter(Boolean)) {
      const { execute, id } = JSON.parse(line) as { execute: string; id: number };
      stdout.write(`{"event": "RESUME"}\r\n${JSON.stringify({ ...answer(execute), id })}\r\n`);
    }
  });
  return { process: { pid: 1, stdin, stdout, stderr, ended, stop: async () => {} }, end };
}

it('gives back what belongs to each command, and its errors', async () => {
  const { process } = fakeQemu((command) =>
    command === 'screendump' ? { error: { class: 'GenericError', desc: 'no screen' } } : { return: { command } },
  );
  const qmp = new Qmp(process);
  await qmp.open();
  expect(await qmp.execute('query-status')).toEqual({ command: 'query-status' });
  await expect(qmp.execute('screendump')).rejects.toMatchObject({ code: 'process-failed' });
});

it('lets nobody wait for a QEMU that has ended', async () => {
  const { process, end } = fakeQemu(() => ({}));
  process.stdin.pause();
  const qmp = new Qmp(process);
  const waiting = qmp.execute('query-status');
  end(new Error('Could not open key.img'));
  await expect(waiting).rejects.toMatchObject({ details: { stderr: 'Could not open key.img' } });
  await expect(qmp.execute('cont')).rejects.toMatchObject({ code: 'process-failed' });
});
