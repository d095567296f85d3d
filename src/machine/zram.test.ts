import { expect, it } from 'vitest';
import { renderZramScript, renderZramUnit, zramPaths } from './zram.ts';

it('makes a device of each size, and starts before anybody logs in', () => {
  const script = renderZramScript(['50%', '67108864']);
  expect(script).toContain('for size in 50% 67108864; do');
  // A share of the memory is counted by the machine that boots.
  expect(script).toContain('*%) size=$((kib * 1024 / 100 * ${size%\\%})) ;;');
  expect(renderZramUnit()).toContain(`ExecStart=/bin/sh /${zramPaths.script} start`);
});
