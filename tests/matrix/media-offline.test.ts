import { afterAll, beforeAll, describe, it } from 'vitest';
import { installFromMedium, type MediaStory } from '../e2e/media-story.ts';
import { failed } from '../e2e/prepared.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { captureGoldenDisk } from './from-network.ts';
import { record } from './table.ts';

const minute = 60_000;
let lab: Laboratory;

beforeAll(async () => {
  lab = await Laboratory.open();
  await captureGoldenDisk(lab);
  await lab.buildImager();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

// No server runs, and no DHCP: all that there is, is on the medium. With UEFI Secure Boot is on.
describe.each<Pick<MediaStory, 'form' | 'firmware' | 'number' | 'install'>>([
  { form: 'usb', firmware: 'bios', number: 40, install: 'confirm' },
  { form: 'iso', firmware: 'uefi', number: 41, install: 'unattended' },
  { form: 'usb', firmware: 'uefi', number: 42, install: 'unattended' },
  { form: 'iso', firmware: 'bios', number: 43, install: 'confirm' },
])('a machine with a medium ($form, $firmware)', (story) => {
  it(
    'is installed from it with no network at all, and comes up with the address of local.cfg',
    async () => {
      const began = performance.now();
      const row = { row: 'media-offline', name: `${story.form}, ${story.firmware}` };
      const seconds = () => (performance.now() - began) / 1000;
      try {
        await using _machine = await installFromMedium(lab, { ...story, image: 'web', from: 'medium' });
        record({ ...row, seconds, outcome: 'installed, and itself' });
      } catch (error) {
        record({ ...row, seconds, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
        await failed(lab, error);
        throw error;
      }
    },
    40 * minute,
  );
});
