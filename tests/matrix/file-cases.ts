import { expect } from 'vitest';
import type { UpdatedMachine } from '../e2e/update-story.ts';
import { expectToRun, type UpdateCase } from './update-case.ts';

/** Makes an image file of the one before, changed by `script` in `$IMAGE`, and drops it on the host partition as a person would. */
function drop(script: string): string {
  return [
    'cp --reflink=auto "$HOST/hn-root-old.img" "$HOST/made.img"',
    'IMAGE="$ROOT/mnt"',
    'mount -o loop "$HOST/made.img" "$IMAGE"',
    `(${script}) || { umount "$IMAGE"; exit 1; }`,
    'umount "$IMAGE"',
    'mv "$HOST/made.img" "$HOST/hn-root-new.img"',
  ].join('\n');
}

const noAgent =
  'rm -rf "$IMAGE/usr/lib/imprint" "$IMAGE/usr/bin/imprint"; find "$IMAGE/etc/systemd" "$IMAGE/usr/lib/systemd" -name "imprint-agent*" -delete';

async function dropped(machine: UpdatedMachine, script: string): Promise<void> {
  await machine.whileOff([{ act: 'boot' }, { act: 'shell', script: drop(script) }]);
  await machine.powerOn();
}

/** What the host partition has, and the image files know of no agent. */
export const fileCases = {
  agentless: {
    title: 'hn-root-new.img and system-revert with no agent at all',
    async story(machine: UpdatedMachine) {
      await dropped(machine, `${noAgent}; echo dropped > "$IMAGE/etc/imprint-version"`);
      await machine.isUp();
      await machine.says(/is committed as file-/);
      expect(
        await machine.shell(
          'cat /etc/imprint-version; ls /usr/lib/imprint 2>&1 | wc -l; touch /hostpart/system-revert',
        ),
      ).toBe('dropped\n1');
      await machine.reboot();
      await expectToRun(machine, 'web:2');
      return 'committed by the shell, and back';
    },
  },
} as const satisfies Record<string, UpdateCase>;
