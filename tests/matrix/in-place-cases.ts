import { expect } from 'vitest';
import type { UpdatedMachine } from '../e2e/update-story.ts';
import { expectToRun, type UpdateCase } from './update-case.ts';

/** What only a root that is changed in place has: versions that come by the command in the machine, and need no restart. */
export const inPlaceCases = {
  serviceRestarted: {
    title: 'a version whose service does not start again: undone at once, nothing restarts',
    async story(machine: UpdatedMachine) {
      await machine.powerOn();
      await expectToRun(machine, 'web:2');
      const boot = await machine.shell('cat /proc/sys/kernel/random/boot_id; md5sum /etc/nginx/nginx.conf');
      const began = performance.now();
      const said = await machine
        .imprint('update --image web:serviceFails --in-place --restart-services')
        .then(JSON.stringify, String);
      const seconds = (performance.now() - began) / 1000;
      expect(said).toMatch(/did not prove healthy: .*nginx/);
      const after = 'cat /proc/sys/kernel/random/boot_id; md5sum /etc/nginx/nginx.conf; systemctl is-active nginx';
      expect(await machine.shell(after)).toBe(`${boot}\nactive`);
      expect(await machine.runs()).toBe('web:2');
      const { situation, failure } = await machine.imprint<{ situation: string; failure?: { reason: string } }>(
        'slots',
      );
      expect(situation).toBe('settled');
      expect(failure?.reason).toMatch(/nginx/);
      expect(await machine.reports('reverted')).toMatch(/nginx/);
      await machine.reboot();
      await expectToRun(machine, 'web:2');
      expect(await machine.failure()).toBe(failure?.reason);
      return `given up in ${seconds.toFixed(0)} s: ${failure?.reason}`;
    },
  },
} as const satisfies Record<string, UpdateCase>;
