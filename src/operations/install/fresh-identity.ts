import { randomBytes, randomUUID } from 'node:crypto';
import type { FreshIdentity } from '../../planning/plan-install.ts';

/** New random names for a new system. */
export function freshIdentity(): FreshIdentity {
  return {
    table: randomUUID(),
    partitions: { 'bios-boot': randomUUID(), esp: randomUUID(), swap: randomUUID(), root: randomUUID() },
    root: randomUUID(),
    swap: randomUUID(),
    espVolumeId: randomBytes(4).toString('hex'),
    // systemd wants a random UUID's form: version 4, variant 1.
    machineId: randomUUID().replaceAll('-', ''),
  };
}
