import { GB18030_RANGES } from './multi-byte-tables.generated.ts';

/** How many four-byte sequences lie in the part that stands for the BMP, 81308130 to 8431a439. */
const BMP_SEQUENCES = 39_420;

/** The characters of gb18030's four-byte sequences in the BMP, by linear index; 0: none. */
export function gb18030Quads(): Uint16Array {
  const units = new Uint16Array(BMP_SEQUENCES);
  for (let i = 0; i < GB18030_RANGES.length; i += 3) {
    const [index, codePoint, length] = GB18030_RANGES.slice(i, i + 3) as [number, number, number];
    for (let step = 0; step < length; step++) units[index + step] = codePoint + step;
  }
  return units;
}
