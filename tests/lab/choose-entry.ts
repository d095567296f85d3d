import { systemClock } from '../../src/foundation/clock.ts';
import type { Machine } from './machine.ts';

const minute = 60_000;

/**
 * Chooses an entry of GRUB's menu on the serial console, as a person does: downwards until it is marked. Keys are single bytes: of an escape sequence the BIOS, which
 * listens on the same line, could take a part.
 */
export async function chooseEntry({ serial }: Machine, title: RegExp): Promise<void> {
  const marked = /\*([^\x1b\r\n*]{4,})/g;
  await serial.expect(new RegExp(marked.source), 2 * minute);
  for (let step = 0; step < 15; step += 1) {
    const from = serial.mark();
    serial.press('v');
    // Both of GRUB's terminals draw on this line: what is marked is what was drawn last, when all has been drawn.
    await systemClock.sleep(4000);
    const [, now = ''] = [...serial.heard(from).matchAll(marked)].at(-1) ?? [];
    if (!title.test(now)) continue;
    serial.press('\r');
    return;
  }
  throw new Error(`the menu has no ${title}\n${serial.tail(60)}`);
}
