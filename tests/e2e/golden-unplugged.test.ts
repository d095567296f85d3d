import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goldenAddress, Laboratory } from '../lab/laboratory.ts';
import type { Machine } from '../lab/machine.ts';
import { failed } from './prepared.ts';

const second = 1000;
const minute = 60 * second;

/** A volume group with a small volume, and something on it that never holds still: two files that carry the same number. */
const prepareVolume = `set -e
vgcreate -q data /dev/vdb
lvcreate -q -y -L 300M -n srv data
mkfs.ext4 -q /dev/data/srv
mkdir /srv/data
mount /dev/data/srv /srv/data
for i in 1 2 3 4 5 6; do head -c 8M /dev/urandom > /srv/data/noise$i; done
cat > /root/writer <<'END'
n=0
while :; do n=$((n + 1)); echo $n > /srv/data/a-first; echo $n > /srv/data/z-last; sleep 0.1; done
END
setsid sh /root/writer > /dev/null 2>&1 < /dev/null &
`;

describe('the golden machine', () => {
  let lab: Laboratory;
  let golden: Machine;
  let capture: string[];

  beforeAll(async () => {
    lab = await Laboratory.open();
    golden = await lab.startGolden(['1G']);
    capture = ['capture', `ssh://root@${goldenAddress}`, '--name', 'web', ...lab.captureOptions()];
  }, 6 * minute);
  afterAll(() => lab[Symbol.asyncDispose]());

  it('unplugged in the middle of its capture: exit 6, no version, no snapshot left, and the next try works', async () => {
    try {
      await lab.ssh(goldenAddress, prepareVolume, 2 * minute);
      let reading: () => void = () => {};
      const begun = new Promise<void>((resolve) => {
        reading = resolve;
      });
      lab.onOutput = (line) => /read: started/.test(line) && reading();
      const lost = lab.imprint(capture, 5 * minute);
      await begun;
      expect(await volumes()).toMatch(/imprint_capture_/);
      await new Promise((resolve) => setTimeout(resolve, 5 * second));
      await lab.network.setTap(golden.tap, 'down');
      const ran = await lost;
      expect(ran, ran.stderr).toMatchObject({ status: 6 });
      expect(ran.stderr).toContain('capture');
      const none = await lab.imprint(['images', '--json']);
      expect(none.stdout).not.toContain('"web"');

      await lab.network.setTap(golden.tap, 'up');
      await lab.until('the snapshot is gone', 2 * minute, async () => (await volumes().catch(() => '?')) === 'srv');
      expect(await lab.ssh(goldenAddress, 'ls /run/imprint')).toBe('');
    } catch (error) {
      await failed(lab, error);
      throw error;
    }
  });

  it('is read from an LVM snapshot: what lies on it is of one moment', async () => {
    try {
      const ran = await lab.imprint([...capture, '--json']);
      expect(ran, ran.stderr).toMatchObject({ status: 0 });
      expect(ran.stderr).toContain('held still: /srv/data, read from an LVM snapshot');
      expect(ran.stderr).toMatch(/read live: \/ \(ext4 on \/dev\/vda2/);
      const read = async (name: string) =>
        Number((await lab.imprint(['image', 'cat', 'web', `/srv/data/${name}`])).stdout);
      const [first, last] = [await read('a-first'), await read('z-last')];
      expect(first).toBeGreaterThan(0);
      expect(first - last).toBeLessThanOrEqual(1);
      expect(await volumes()).toBe('srv');
      const shown = await lab.imprint(['image', 'show', 'web']);
      expect(shown.stdout).toMatch(/\/srv\/data +ext4 +\(lvm snapshot\)/);
      const checked = await lab.imprint(['store', 'check']);
      expect(checked, checked.stderr).toMatchObject({ status: 0 });
    } catch (error) {
      await failed(lab, error);
      throw error;
    }
  });

  async function volumes(): Promise<string> {
    return (await lab.ssh(goldenAddress, 'lvs --noheadings -o lv_name')).trim().split(/\s+/).join(' ');
  }
});
