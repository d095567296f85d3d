import { randomBytes, randomUUID } from 'node:crypto';
import type { FreshPartition } from '../../planning/install-layout.ts';
import { mostSlots } from '../../planning/install-space.ts';
import type { FreshIdentity } from '../../planning/plan-install.ts';

/** New random names for a new system. */
export function freshIdentity(): FreshIdentity {
  return {
    table: randomUUID(),
    moreTables: Array.from({ length: mostData }, () => randomUUID()),
    biosBoot: freshPartition(),
    esp: freshPartition(),
    boot: freshPartition(),
    swap: freshPartition(),
    root: freshPartition(),
    slots: Array.from({ length: mostSlots }, freshPartition),
    data: Array.from({ length: mostData }, freshPartition),
    image: randomUUID(),
    espVolumeId: randomBytes(4).toString('hex'),
    // systemd wants a random UUID's form: version 4, variant 1.
    machineId: randomUUID().replaceAll('-', ''),
  };
}

/** More devices than any layout has. */
const mostData = 256;

function freshPartition(): FreshPartition {
  return { partition: randomUUID(), uuid: randomUUID() };
}
