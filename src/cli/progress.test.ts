import { describe, expect, it } from 'vitest';
import { Task, type TaskEvent } from '../foundation/task.ts';
import { LiveRegion } from './live-region.ts';
import { ProgressBars } from './progress-bars.ts';
import { ProgressLines } from './progress-lines.ts';
import { fractionOf, ProgressModel, rateOf, timeLeft } from './progress-model.ts';
import { openTerminal } from './terminal.ts';

/** A terminal that keeps what was written, and a clock that is set by hand. */
function stage(options: { tty?: boolean; columns?: number; locale?: string } = {}) {
  const written: string[] = [];
  const stream = {
    isTTY: options.tty ?? false,
    columns: options.columns ?? 80,
    rows: 24,
    write: (text: string) => written.push(text),
  };
  const clock = { time: 1_000_000, now: () => clock.time, sleep: async () => {} };
  const terminal = openTerminal(stream, { LANG: options.locale ?? 'C.UTF-8', NO_COLOR: '1' });
  return { written, terminal, clock, stream };
}

/** Events as a task would send them. */
function teller(show: (event: TaskEvent) => void, clock: { now(): number }) {
  let seq = 0;
  return (path: string[], event: Partial<TaskEvent> & Pick<TaskEvent, 'kind'>) => {
    seq += 1;
    show({ taskId: 't', seq, time: clock.now(), path, message: path.at(-1) ?? '', ...event });
  };
}

describe('the model', () => {
  it('says rate and rest from the last ten seconds', () => {
    const { clock } = stage();
    const model = new ProgressModel();
    const tell = teller((event) => model.apply(event), clock);
    tell(['copy'], { kind: 'started' });
    for (let second = 0; second <= 30; second += 1) {
      clock.time = 1_000_000 + second * 1000;
      tell(['copy'], { kind: 'progress', done: second * (second < 20 ? 1 : 10), total: 1000, unit: 'bytes' });
    }
    const [part] = model.running();
    if (!part) throw new Error('nothing runs');
    expect(rateOf(part, clock.time)).toBeCloseTo(10, 0);
    expect(timeLeft(part, clock.time)).toBeCloseTo(70_000, -3);
    // Nothing more comes: the rate falls, and in the end nobody knows.
    expect(rateOf(part, clock.time + 5000)).toBeLessThan(10);
    expect(timeLeft(part, clock.time + 60_000)).toBeUndefined();
  });

  it('keeps parts below the one that they belong to, and drops them when it ends', () => {
    const { clock } = stage();
    const model = new ProgressModel();
    const tell = teller((event) => model.apply(event), clock);
    for (const path of [['a'], ['a', 'b'], ['a', 'c'], ['a', 'b', 'd']]) tell(path, { kind: 'started' });
    expect(model.running().map(({ path }) => path.join('/'))).toEqual(['a', 'a/b', 'a/b/d', 'a/c']);
    tell(['a', 'b'], { kind: 'finished' });
    expect(model.running().map(({ path }) => path.join('/'))).toEqual(['a', 'a/c']);
    tell(['a'], { kind: 'failed' });
    expect(model.running()).toEqual([]);
  });

  it('shows no part for a mere remark', () => {
    const { clock } = stage();
    const model = new ProgressModel();
    teller((event) => model.apply(event), clock)(['watch'], { kind: 'log' });
    expect(model.running()).toEqual([]);
  });

  it('has a fraction between 0 and 1, whatever comes', () => {
    const part = { key: '', path: [], started: 0, state: 'running' as const, samples: [] };
    expect(fractionOf({ ...part, done: 7, total: 5 })).toBe(1);
    expect(fractionOf({ ...part, done: 0, total: 0 })).toBe(0);
    expect(fractionOf({ ...part, done: 3 })).toBeUndefined();
  });
});

describe('lines', () => {
  it('come where something starts and ends, and seldom between', async () => {
    const { written, terminal, clock } = stage();
    const lines = new ProgressLines(terminal, { clock, quiet: false });
    await Task.run(
      'capture web',
      (event) => lines.show(event),
      (task) =>
        task.part('read', async (part) => {
          part.expect(100 * 2 ** 20, 'bytes');
          for (let step = 0; step < 100; step += 1) {
            clock.time += 500;
            part.advance(2 ** 20);
          }
          part.warn('etc/x would not hold still');
        }),
      { clock },
    );
    expect(written.join('')).toBe(
      [
        'capture web: started',
        'capture web: read: started',
        'capture web: read: 20 %, 20 MiB of 100 MiB, 2 MiB/s, 40 s left',
        'capture web: read: 40 %, 40 MiB of 100 MiB, 2 MiB/s, 30 s left',
        'capture web: read: 60 %, 60 MiB of 100 MiB, 2 MiB/s, 20 s left',
        'capture web: read: 80 %, 80 MiB of 100 MiB, 2 MiB/s, 10 s left',
        'capture web: read: warning: etc/x would not hold still',
        'capture web: read: done, 100 MiB in 50 s',
        'capture web: done in 50 s',
        '',
      ].join('\n'),
    );
  });

  it('are warnings only when it shall be quiet', () => {
    const { written, terminal, clock } = stage();
    const lines = new ProgressLines(terminal, { clock, quiet: true });
    const tell = teller((event) => lines.show(event), clock);
    tell(['a'], { kind: 'started' });
    tell(['a'], { kind: 'warning', message: 'careful' });
    tell(['a'], { kind: 'finished' });
    expect(written).toEqual(['a: warning: careful\n']);
  });
});

describe('bars', () => {
  it('never wrap, whatever the width, and take themselves away', async () => {
    for (const columns of [12, 20, 40, 60, 80, 120]) {
      const { written, terminal, clock } = stage({ tty: true, columns });
      const bars = new ProgressBars(terminal, { clock });
      const tell = teller((event) => bars.show(event), clock);
      tell(['install web:3 on web01'], { kind: 'started' });
      tell(['install web:3 on web01', 'restore'], { kind: 'progress', done: 1e9, total: 3e9, unit: 'bytes' });
      await new Promise((resolve) => setTimeout(resolve, 130));
      bars.close();
      const frame = written.find((text) => text.includes('restore'.slice(0, 3))) ?? written.join('');
      for (const line of frame.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, '').split('\n')) {
        expect(line.replace('\r', '').length).toBeLessThan(columns);
      }
      expect(written.at(-1)).toContain('\u001b[?25h');
    }
  });

  it('are plain ASCII where the locale is', async () => {
    const { written, terminal, clock } = stage({ tty: true, locale: 'C' });
    const bars = new ProgressBars(terminal, { clock });
    const tell = teller((event) => bars.show(event), clock);
    tell(['a'], { kind: 'progress', done: 1, total: 2, unit: 'files' });
    tell(['a'], { kind: 'log', message: '“quoted” – and so on …' });
    await new Promise((resolve) => setTimeout(resolve, 130));
    bars.close();
    expect(written.join('')).not.toMatch(/[^\x00-\x7f]/);
    expect(written.join('')).toContain('"quoted" - and so on ...');
  });
});

it('a live region counts the rows that its lines take after the window was made narrower', () => {
  const { written, terminal, stream } = stage({ tty: true, columns: 80 });
  const region = new LiveRegion(terminal);
  region.draw(['x'.repeat(70), 'y'.repeat(70)]);
  stream.columns = 40;
  region.draw(['z']);
  // Two lines of 70 cells are four rows of 40: three up from the last.
  expect(written.at(-1)).toContain('\r\u001b[3A');
});
