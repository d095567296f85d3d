import { expect } from 'vitest';
import type { UpdatedMachine } from '../e2e/update-story.ts';
import { expectToRun, type UpdateCase } from './update-case.ts';

/** Makes an image file of the one before (a clone where the file system can), changed by `script` in `$IMAGE`, and drops it on the host partition as a person would. */
function drop(script: string): string {
  return [
    'cp "$HOST/hn-root-old.img" "$HOST/made.img"',
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

async function panicked(machine: UpdatedMachine): Promise<void> {
  await machine.says(/imprint\.kind=new/);
  await machine.says(/Kernel panic - not syncing: Attempted to kill init/);
}

/** Init ends at once. */
const brokenInit =
  'rm -f "$IMAGE/usr/sbin/init"; printf "#!/bin/sh\\nexit 1\\n" > "$IMAGE/usr/sbin/init"; chmod 755 "$IMAGE/usr/sbin/init"';

/** What the host partition has, and the image files know of no agent. */
export const fileCases = {
  byHand: {
    title: 'hn-root-new.img and system-revert, both made by hand',
    async story(machine: UpdatedMachine) {
      await dropped(machine, 'echo dropped > "$IMAGE/etc/imprint-version"');
      await machine.isUp();
      await machine.settles('settled');
      const look = await machine.shell('cat /etc/imprint-version; hostname; ls /hostpart');
      expect(look.split('\n').slice(0, 2)).toEqual(['dropped', machine.name]);
      expect(look).not.toContain('hn-root-new.img');
      await machine.shell('touch /hostpart/system-revert');
      await machine.reboot();
      await expectToRun(machine, 'web:2');
      expect(await machine.shell('ls /hostpart')).not.toContain('system-revert');
      return 'the image was committed; went back to web:2, and the file is gone';
    },
  },
  droppedBroken: {
    title: 'hn-root-new.img, dropped by hand, whose init is broken',
    async story(machine: UpdatedMachine) {
      await dropped(machine, brokenInit);
      await panicked(machine);
      machine.mark();
      // Once it restarts by itself, and then somebody is quicker than the kernel's half a minute.
      for (const _ of [2, 3]) {
        await panicked(machine);
        await machine.cutPower();
        await machine.powerOn();
      }
      await expectToRun(machine, 'web:2');
      const names = await machine.shell('ls /hostpart');
      expect(names).toContain('hn-root-broken.img');
      expect(names).not.toContain('hn-root-new.img');
      return 'three tries, then web:2 and hn-root-broken.img';
    },
  },
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
