import { expect, it } from 'vitest';
import { goldenAddress, Laboratory } from '../lab/laboratory.ts';
import { failed } from './prepared.ts';

const second = 1000;
const minute = 60 * second;

it('a golden machine unplugged in the middle of its capture: exit 6, no version, and the next try works', async () => {
  await using lab = await Laboratory.open();
  try {
    const golden = await lab.startGolden();
    const capture = ['capture', `ssh://root@${goldenAddress}`, '--name', 'web', ...lab.captureOptions()];
    let reading: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      reading = resolve;
    });
    lab.onOutput = (line) => /read: started/.test(line) && reading();
    const lost = lab.imprint(capture, 5 * minute);
    await begun;
    await new Promise((resolve) => setTimeout(resolve, 5 * second));
    await lab.network.setTap(golden.tap, 'down');
    const ran = await lost;
    expect(ran, ran.stderr).toMatchObject({ status: 6 });
    expect(ran.stderr).toContain('capture');
    const none = await lab.imprint(['images', '--json']);
    expect(none.stdout).not.toContain('"web"');

    await lab.network.setTap(golden.tap, 'up');
    await lab.imprintJson(capture);
    const checked = await lab.imprint(['store', 'check']);
    expect(checked, checked.stderr).toMatchObject({ status: 0 });
  } catch (error) {
    await failed(lab, error);
    throw error;
  }
});
