/**
 * QR codes of short texts (ISO/IEC 18004): byte mode, error correction level M, versions 1 to 10, which hold up to
 * 213 bytes.
 */

/** By version: error correction codewords of a block, and the data codewords of each block. */
const blockSizes: readonly (readonly [ecc: number, blocks: readonly number[]])[] = [
  [10, [16]],
  [16, [28]],
  [26, [44]],
  [18, [32, 32]],
  [24, [43, 43]],
  [16, [27, 27, 27, 27]],
  [18, [31, 31, 31, 31]],
  [22, [38, 38, 39, 39]],
  [22, [36, 36, 36, 37, 37]],
  [26, [43, 43, 43, 43, 44]],
];

/** Rows of modules, true for dark ones. Undefined when the text is too long. */
export function qrCode(text: string): readonly (readonly boolean[])[] | undefined {
  const bytes = new TextEncoder().encode(text);
  const index = blockSizes.findIndex(([, blocks], at) => bytes.length + (at < 9 ? 2 : 3) <= sum(blocks));
  const [ecc, blocks] = blockSizes[index] ?? [];
  if (ecc === undefined || blocks === undefined) return undefined;
  const version = index + 1;
  const codewords = interleave(dataCodewords(bytes, version, sum(blocks)), blocks, ecc);
  const candidates = masks.map((isInverted, mask) => drawCode(version, codewords, isInverted, mask));
  return candidates.reduce((best, code) => (penaltyOf(code) < penaltyOf(best) ? code : best));
}

/** The dark modules as the path of an SVG image whose unit is a module. */
export function qrPath(code: readonly (readonly boolean[])[]): string {
  return code.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Mode, length and bytes, then padding. */
function dataCodewords(bytes: Uint8Array, version: number, count: number): readonly number[] {
  const lengthBits = version < 10 ? 8 : 16;
  let bits = `0100${bytes.length.toString(2).padStart(lengthBits, '0')}`;
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  bits = `${bits}0000`.slice(0, count * 8);
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
  const words = bits.match(/.{8}/g)?.map((word) => Number.parseInt(word, 2)) ?? [];
  for (let pad = 0; words.length < count; pad++) words.push(pad % 2 === 0 ? 0xec : 0x11);
  return words;
}

/** Splits the data into blocks, adds error correction, and interleaves both. */
function interleave(data: readonly number[], sizes: readonly number[], ecc: number): readonly number[] {
  let from = 0;
  const blocks = sizes.map((size) => {
    const block = data.slice(from, from + size);
    from += size;
    return block;
  });
  const checks = blocks.map((block) => remainderOf(block, generator(ecc)));
  const column = (rows: readonly (readonly number[])[], at: number) => rows.flatMap((row) => row[at] ?? []);
  const longest = Math.max(...sizes);
  return [
    ...Array.from({ length: longest }, (_, at) => column(blocks, at)).flat(),
    ...Array.from({ length: ecc }, (_, at) => column(checks, at)).flat(),
  ];
}

/** Multiplies in the field of 256 elements with the polynomial 0x11d. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ (product & 0x80 ? 0x11d : 0);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** The Reed-Solomon generator polynomial without its leading 1. */
function generator(degree: number): readonly number[] {
  let root = 1;
  let polynomial = [...Array.from({ length: degree - 1 }, () => 0), 1];
  for (let step = 0; step < degree; step++) {
    polynomial = polynomial.map((factor, at) => multiply(factor, root) ^ (polynomial[at + 1] ?? 0));
    root = multiply(root, 2);
  }
  return polynomial;
}

function remainderOf(data: readonly number[], divisor: readonly number[]): readonly number[] {
  let remainder = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ (remainder[0] ?? 0);
    remainder = divisor.map((value, at) => (remainder[at + 1] ?? 0) ^ multiply(value, factor));
  }
  return remainder;
}

type IsInverted = (x: number, y: number) => boolean;
const masks: readonly IsInverted[] = [
  (x, y) => (x + y) % 2 === 0,
  (_x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Undefined modules are free for data. */
type Grid = (boolean | undefined)[][];

function drawCode(
  version: number,
  codewords: readonly number[],
  isInverted: IsInverted,
  mask: number,
): readonly (readonly boolean[])[] {
  const size = 17 + 4 * version;
  const grid: Grid = Array.from({ length: size }, () => Array.from({ length: size }, () => undefined));
  drawPatterns(grid, version);
  drawFormat(grid, mask);
  if (version >= 7) drawVersion(grid, version);
  drawData(grid, codewords, isInverted);
  return grid.map((row) => row.map((isDark) => isDark === true));
}

function put(grid: Grid, x: number, y: number, isDark: boolean): void {
  const row = grid[y];
  if (row && x >= 0 && x < row.length) row[x] = isDark;
}

/** Finder, alignment and timing patterns. */
function drawPatterns(grid: Grid, version: number): void {
  const last = grid.length - 1;
  for (const [x, y] of [
    [3, 3],
    [last - 3, 3],
    [3, last - 3],
  ] as const)
    drawSquare(grid, x, y, 4, (ring) => ring !== 2 && ring !== 4);
  const positions = alignmentPositions(version, last);
  for (const x of positions)
    for (const y of positions)
      if (grid[y]?.[x] === undefined) drawSquare(grid, x, y, 2, (ring) => ring !== 1);
  for (let at = 8; at <= last - 8; at++) {
    put(grid, at, 6, at % 2 === 0);
    put(grid, 6, at, at % 2 === 0);
  }
}

function drawSquare(
  grid: Grid,
  centerX: number,
  centerY: number,
  radius: number,
  isDark: (ring: number) => boolean,
): void {
  for (let y = -radius; y <= radius; y++)
    for (let x = -radius; x <= radius; x++)
      put(grid, centerX + x, centerY + y, isDark(Math.max(Math.abs(x), Math.abs(y))));
}

function alignmentPositions(version: number, last: number): readonly number[] {
  if (version === 1) return [];
  return version < 7 ? [6, last - 6] : [6, last / 2, last - 6];
}

/** Error correction level M (bits 00) and the mask, with their BCH code, in two places. */
function drawFormat(grid: Grid, mask: number): void {
  const last = grid.length - 1;
  const bits = withCode(mask, 0x537, 10) ^ 0x5412;
  for (let bit = 0; bit < 15; bit++) {
    const isDark = ((bits >> bit) & 1) === 1;
    const along = bit < 6 ? bit : bit < 8 ? bit + 1 : last - 14 + bit;
    put(grid, 8, along, isDark);
    put(grid, bit < 8 ? last - bit : bit < 9 ? 7 : 14 - bit, 8, isDark);
  }
  put(grid, 8, last - 7, true);
}

function drawVersion(grid: Grid, version: number): void {
  const bits = withCode(version, 0x1f25, 12);
  for (let bit = 0; bit < 18; bit++) {
    const isDark = ((bits >> bit) & 1) === 1;
    const [a, b] = [grid.length - 11 + (bit % 3), Math.floor(bit / 3)];
    put(grid, a, b, isDark);
    put(grid, b, a, isDark);
  }
}

/** A number followed by its BCH remainder. */
function withCode(value: number, polynomial: number, degree: number): number {
  let remainder = value << degree;
  for (let bit = 31 - degree; bit >= 0; bit--)
    if ((remainder >> (bit + degree)) & 1) remainder ^= polynomial << bit;
  return (value << degree) | remainder;
}

/** In pairs of columns from the right, upwards and downwards in turn. */
function drawData(grid: Grid, codewords: readonly number[], isInverted: IsInverted): void {
  const size = grid.length;
  let bit = 0;
  // Column 6 is a timing pattern.
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) {
    const isUpward = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step++)
      for (const x of [right, right - 1]) {
        const y = isUpward ? size - 1 - step : step;
        if (grid[y]?.[x] !== undefined) continue;
        const isSet = (((codewords[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
        put(grid, x, y, isSet !== isInverted(x, y));
        bit++;
      }
  }
}

/** How hard the code is to read: long runs, blocks, patterns like finders, and imbalance. */
function penaltyOf(code: readonly (readonly boolean[])[]): number {
  const rows = code.map((row) => row.map(Number).join(''));
  const columns = code.map((_, x) => code.map((row) => Number(row[x])).join(''));
  let penalty = 0;
  for (const line of [...rows, ...columns]) {
    for (const run of line.match(/0{5,}|1{5,}/g) ?? []) penalty += run.length - 2;
    penalty += 40 * [...line.matchAll(/(?=1011101)(?:(?<=0000)|(?=10111010000))/g)].length;
  }
  for (let y = 1; y < code.length; y++)
    for (let x = 1; x < code.length; x++) {
      const isDark = code[y]?.[x];
      const others = [code[y]?.[x - 1], code[y - 1]?.[x], code[y - 1]?.[x - 1]];
      if (others.every((other) => other === isDark)) penalty += 3;
    }
  const dark = rows.join('').split('1').length - 1;
  return penalty + 10 * Math.floor(Math.abs((dark * 20) / code.length ** 2 - 10));
}
