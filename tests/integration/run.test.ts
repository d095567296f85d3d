import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';

const { run, start } = systemProcesses;

it('gives output and status, and feeds input', async () => {
  expect(await run('cat', [], { input: 'hello\n' })).toEqual({ stdout: 'hello\n', stderr: '', status: 0 });
  expect((await run('sh', ['-c', 'exit 3'], { accept: [0, 3] })).status).toBe(3);
  expect((await run('cat', [])).stdout).toBe('');
});

it('carries the command line and the end of stderr, without secrets', async () => {
  const failing = run('sh', ['-c', 'echo first >&2; echo "bad hunter2" >&2; exit 4'], { secrets: ['hunter2'] });
  await expect(failing).rejects.toMatchObject({ code: 'process-failed', details: { status: 'status 4' } });
  await expect(failing).rejects.toThrow(/bad …/);
  await expect(failing).rejects.not.toThrow(/hunter2/);
});

it('names the package of a program that is missing', async () => {
  await expect(run('imprint-no-such-tool', [])).rejects.toMatchObject({ code: 'tool-missing' });
  await expect(start('imprint-no-such-tool', []).ended).rejects.toMatchObject({ code: 'tool-missing' });
});

it('ends at a time limit and by a signal', async () => {
  await expect(run('sleep', ['30'], { timeout: 100 })).rejects.toMatchObject({ code: 'process-failed' });
  const abort = new AbortController();
  const sleeping = run('sleep', ['30'], { signal: abort.signal });
  abort.abort();
  await expect(sleeping).rejects.toMatchObject({ code: 'interrupted' });
});

it('streams', async () => {
  const child = start('sh', ['-c', 'cat; echo done >&2'], { input: 'some bytes' });
  expect(await text(child.stdout)).toBe('some bytes');
  expect((await child.ended).stderr).toBe('done\n');
  const sleeper = start('sleep', ['30']);
  await sleeper.stop();
  await expect(sleeper.ended).rejects.toMatchObject({ code: 'process-failed' });
});
