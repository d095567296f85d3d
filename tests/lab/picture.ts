import { readFile } from 'node:fs/promises';
import { inflateSync } from 'node:zlib';

type Colour = readonly [red: number, green: number, blue: number];

/** How much of a picture of a machine's screen has a colour, 0 to 1. Reads PNG as QEMU writes it: 8 bits each of red, green and blue, not interlaced. */
export async function shareOfColour(file: string, colour: Colour): Promise<number> {
  const png = await readFile(file);
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  if (png.subarray(24, 29).compare(Uint8Array.of(8, 2, 0, 0, 0)) !== 0)
    throw new Error(`${file} is another kind of PNG`);
  const rows = unfilter(inflateSync(dataOf(png)), width * 3, height);
  let count = 0;
  for (let at = 0; at < rows.length; at += 3) {
    if (colour.every((value, index) => rows[at + index] === value)) count += 1;
  }
  return count / (width * height);
}

function dataOf(png: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  return Buffer.concat(parts);
}

/** Each row begins with what its bytes were told from: the left, the one above, the mean of both, or the nearest of three (PNG, 9.2). */
function unfilter(data: Buffer, length: number, height: number): Uint8Array {
  const rows = new Uint8Array(length * height);
  for (let row = 0; row < height; row += 1) {
    const kind = data[row * (length + 1)];
    for (let column = 0; column < length; column += 1) {
      const at = row * length + column;
      const left = column < 3 ? 0 : (rows[at - 3] ?? 0);
      const above = row === 0 ? 0 : (rows[at - length] ?? 0);
      const corner = column < 3 || row === 0 ? 0 : (rows[at - length - 3] ?? 0);
      const told = [0, left, above, (left + above) >> 1, nearest(left, above, corner)][kind ?? 0] ?? 0;
      rows[at] = (data[row * (length + 1) + 1 + column] ?? 0) + told;
    }
  }
  return rows;
}

function nearest(left: number, above: number, corner: number): number {
  const [toLeft, toAbove, toCorner] = [above - corner, left - corner, left + above - 2 * corner].map(Math.abs) as [
    number,
    number,
    number,
  ];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
