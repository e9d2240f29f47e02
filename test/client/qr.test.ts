/** QR codes, read back by a reader of its own (ISO/IEC 18004): format, error correction and text. */
import { describe, expect, it } from 'vitest';
import { qrCode, qrPath } from '../../src/client/text/qr.js';

type Code = readonly (readonly boolean[])[];

/** The 15 bits of level M by mask, as table C.1 of the standard lists them. */
const formats = [0x5412, 0x5125, 0x5e7c, 0x5b4b, 0x45f9, 0x40ce, 0x4f97, 0x4aa0];
/** Data codewords of each block at level M, by version (table 9). */
const blocksOf: Readonly<Record<number, readonly number[]>> = {
  1: [16],
  2: [28],
  3: [44],
  4: [32, 32],
  5: [43, 43],
  6: [27, 27, 27, 27],
  7: [31, 31, 31, 31],
  8: [38, 38, 39, 39],
  9: [36, 36, 36, 37, 37],
  10: [43, 43, 43, 43, 44],
};
const masks: readonly ((row: number, column: number) => boolean)[] = [
  (i, j) => (i + j) % 2 === 0,
  (i) => i % 2 === 0,
  (_i, j) => j % 3 === 0,
  (i, j) => (i + j) % 3 === 0,
  (i, j) => (Math.floor(i / 2) + Math.floor(j / 3)) % 2 === 0,
  (i, j) => ((i * j) % 2) + ((i * j) % 3) === 0,
  (i, j) => (((i * j) % 2) + ((i * j) % 3)) % 2 === 0,
  (i, j) => (((i + j) % 2) + ((i * j) % 3)) % 2 === 0,
];

function readFormat(code: Code): number {
  const last = code.length - 1;
  const row8 = [0, 1, 2, 3, 4, 5, 7, 8].map((x) => code[8]?.[x]);
  const column8 = [7, 5, 4, 3, 2, 1, 0].map((y) => code[y]?.[8]);
  const first = [...row8, ...column8];
  const second = [
    ...[0, 1, 2, 3, 4, 5, 6].map((n) => code[last - n]?.[8]),
    ...[7, 6, 5, 4, 3, 2, 1, 0].map((n) => code[8]?.[last - n]),
  ];
  expect(second).toEqual(first);
  return first.reduce((bits, isDark) => (bits << 1) | (isDark ? 1 : 0), 0);
}

function isReserved(size: number, row: number, column: number): boolean {
  const version = (size - 17) / 4;
  const centers = version === 1 ? [] : version < 7 ? [6, size - 7] : [6, (size - 1) / 2, size - 7];
  const isCorner = (a: number, b: number) =>
    (a < 9 && b < 9) || (a < 9 && b > size - 9) || (a > size - 9 && b < 9);
  const isAligned = centers.some((y) =>
    centers.some(
      (x) => Math.abs(row - y) <= 2 && Math.abs(column - x) <= 2 && !isCorner(y, x) && !isCorner(x, y),
    ),
  );
  const isVersion = version >= 7 && ((row < 6 && column > size - 12) || (column < 6 && row > size - 12));
  return isCorner(row, column) || row === 6 || column === 6 || isAligned || isVersion;
}

function readCodewords(code: Code, mask: number): readonly number[] {
  const size = code.length;
  const bits: number[] = [];
  let upward = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right--;
    for (let step = 0; step < size; step++) {
      const row = upward ? size - 1 - step : step;
      for (const column of [right, right - 1])
        if (!isReserved(size, row, column))
          bits.push(code[row]?.[column] === masks[mask]?.(row, column) ? 0 : 1);
    }
    upward = !upward;
  }
  return Array.from({ length: bits.length >> 3 }, (_, n) =>
    bits.slice(8 * n, 8 * n + 8).reduce((byte, bit) => (byte << 1) | bit, 0),
  );
}

/** Powers of 2 in the field of 256 elements. */
const powers: number[] = [];
for (let n = 0, value = 1; n < 255; n++) {
  powers.push(value);
  value = value < 128 ? value * 2 : (value * 2) ^ 0x11d;
}

/** The value of the polynomial at 2^power: 0 for each root of the generator. */
function valueAt(words: readonly number[], power: number): number {
  return words.reduce((value, word) => {
    const log = powers.indexOf(value);
    return (log < 0 ? 0 : (powers[(log + power) % 255] ?? 0)) ^ word;
  }, 0);
}

function read(code: Code): string {
  const version = (code.length - 17) / 4;
  const mask = formats.indexOf(readFormat(code));
  expect(mask).toBeGreaterThanOrEqual(0);
  const words = readCodewords(code, mask);
  const sizes = blocksOf[version] ?? [];
  const dataCount = sizes.reduce((a, b) => a + b, 0);
  const eccCount = Math.floor((words.length - dataCount) / sizes.length);
  const blocks: number[][] = sizes.map(() => []);
  let next = 0;
  for (let n = 0; n < Math.max(...sizes); n++)
    for (const [index, size] of sizes.entries()) if (n < size) blocks[index]?.push(words[next++] ?? 0);
  const data = blocks.flat();
  for (let n = 0; n < eccCount; n++) for (const block of blocks) block.push(words[next++] ?? 0);
  for (const block of blocks)
    for (let root = 0; root < eccCount; root++) expect(valueAt(block, root)).toBe(0);
  const bits = data.map((word) => word.toString(2).padStart(8, '0')).join('');
  expect(bits.slice(0, 4)).toBe('0100'); // byte mode
  const start = version < 10 ? 12 : 20;
  const length = Number.parseInt(bits.slice(4, start), 2);
  const bytes = Array.from({ length }, (_, n) =>
    Number.parseInt(bits.slice(start + 8 * n, start + 8 * n + 8), 2),
  );
  return new TextDecoder().decode(new Uint8Array(bytes));
}

describe('qrCode', () => {
  it('draws what other encoders draw', () => {
    const code = qrCode('http://localhost:3000/r/lobby') ?? [];
    expect(code.map((row) => row.map((isDark) => (isDark ? '#' : '.')).join(''))).toEqual([
      '#######.###....##..##.#######',
      '#.....#.##..#.##......#.....#',
      '#.###.#..##.####....#.#.###.#',
      '#.###.#.##.##...####..#.###.#',
      '#.###.#..#...#.....##.#.###.#',
      '#.....#..#.##.#..###..#.....#',
      '#######.#.#.#.#.#.#.#.#######',
      '........##...##..##.#........',
      '#.##.###..#####.#####.#..#.##',
      '#.###..##.###..#####.####...#',
      '..#.###.#...#.##.##.#.##..##.',
      '...#...#.#.#.###...#..####..#',
      '##.#..####.#....##..#....##..',
      '...#....#.#..#.....##.#....##',
      '#.#.###.##....#..###.#.#.####',
      '#####..####.##.#......#.#..#.',
      '#...#.#.####......#..#.##..#.',
      '.##..#.#.#.###.......#.#..##.',
      '#..#.####........##.##.#.##..',
      '..##.#.##.#.#..###.#####..#..',
      '.######..##..#.#.##########..',
      '........##.#####..###...#####',
      '#######.#.##.#..#..##.#.##.#.',
      '#.....#.#####...#..##...#..##',
      '#.###.#...#.#.##.#..#####.#.#',
      '#.###.#.##....#.#.#..#.###.#.',
      '#.###.#.#.#.#.###..###.#.#..#',
      '#.....#.......#.#..##..#.#.#.',
      '#######.##.#.#.#.#..#...#..#.',
    ]);
  });

  it.each([1, 14, 15, 26, 42, 62, 84, 106, 122, 152, 180, 213])('can be read at %i bytes', (length) => {
    const text = 'https://chat.example.org/r/kitchen-talk?0123456789'.repeat(5).slice(0, length);
    expect(read(qrCode(text) ?? [])).toBe(text);
  });

  it('holds any script', () => {
    expect(read(qrCode('https://例え.jp/r/厨房') ?? [])).toBe('https://例え.jp/r/厨房');
  });

  it('is undefined for a longer text', () => {
    expect(qrCode('x'.repeat(214))).toBeUndefined();
  });
});

it('draws one square for each dark module', () => {
  expect(
    qrPath([
      [true, false],
      [false, true],
    ]),
  ).toBe('M0 0h1v1h-1zM1 1h1v1h-1z');
});
