/** Field numbers of the manifest's messages; their meaning stands in docs/image-format.md. Never used for anything else. */
export const manifestFormat = 1;

export const manifestField = { header: 1, entry: 2 } as const;

export const entryField = {
  path: 1,
  type: 2,
  mode: 3,
  uid: 4,
  gid: 5,
  mtimeSeconds: 6,
  mtimeNanoseconds: 7,
  xattr: 8,
  size: 9,
  chunkHashes: 10,
  chunkLengths: 11,
  segments: 12,
  target: 13,
  major: 14,
  minor: 15,
} as const;

export const xattrField = { name: 1, value: 2 } as const;
