import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { keepObject, layObject } from '../../src/operations/update/object-state.ts';
import { forgetSlotVersion, readSlotVersion } from '../../src/operations/update/slot-version.ts';

let base: string;
let root: string;
let outside: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'imprint-links-'));
  // A version whose /var is an absolute link: what it names below the slot's own root, and what the running system has there.
  [root, outside] = [join(base, 'slot'), join(base, 'state')];
  for (const directory of [join(root, 'etc'), join(root, outside, 'lib/imprint'), join(outside, 'lib/imprint')])
    mkdirSync(directory, { recursive: true });
  symlinkSync(outside, join(root, 'var'));
  writeFileSync(join(outside, 'lib/imprint/version.json'), 'of the machine that runs');
  return () => rmSync(base, { recursive: true });
});

describe.skipIf(process.geteuid?.() !== 0)('a slot whose /var is a link to an absolute path', () => {
  it('is read and forgotten below its own root, not below that of the machine that runs', async () => {
    writeFileSync(join(root, outside, 'lib/imprint/version.json'), 'of the slot');
    expect(await readSlotVersion(root)).toBeUndefined();
    await forgetSlotVersion(root);
    expect(existsSync(join(root, outside, 'lib/imprint/version.json'))).toBe(false);
    expect(readFileSync(join(outside, 'lib/imprint/version.json'), 'utf8')).toBe('of the machine that runs');
  });

  it('gets its mark below its own root', async () => {
    const running = join(base, 'running');
    mkdirSync(join(running, 'etc'), { recursive: true });
    writeFileSync(join(running, 'etc/hostname'), 'web01\n');
    const object = await keepObject({ root: running, stateDirectory: join(base, 'objects'), clock: systemClock });
    await layObject(object, root, 'owner');
    expect(readFileSync(join(root, 'etc/hostname'), 'utf8')).toBe('web01\n');
    expect(readFileSync(join(root, outside, 'lib/imprint/object'), 'utf8')).toBe('owner 1\n');
    expect(existsSync(join(outside, 'lib/imprint/object'))).toBe(false);
  });
});
