import { z } from 'zod';

/** What `sfdisk --json DISK` prints (sfdisk(8)); starts and sizes in sectors. */
export const sfdiskTableSchema = z.looseObject({
  partitiontable: z.looseObject({
    label: z.string(),
    id: z.string().optional(),
    sectorsize: z.number().optional(),
    partitions: z
      .array(
        z.looseObject({
          node: z.string(),
          start: z.number(),
          size: z.number(),
          type: z.string(),
          uuid: z.string().optional(),
          name: z.string().optional(),
          attrs: z.string().optional(),
          bootable: z.boolean().optional(),
        }),
      )
      .default([]),
  }),
});
