const POLYNOMIAL = 0x82f63b78;
/** Bytes taken at a time; one table for each. */
const SLICE_BYTES = 8;
/** So few bytes are not worth finding out how they lie in memory. */
const PLAIN_BYTES = 32;
const TABLES = makeTables();
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES;
const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/**
 * CRC-32C (Castagnoli), which LevelDB's own files carry; blocks and records of ours have the CRC-32 of zlib.
 * @param crc the result for the bytes before these, to go on from
 */
export function crc32c(bytes: Uint8Array, crc = 0): number {
  const { length } = bytes;
  if (length < PLAIN_BYTES || !isLittleEndian) return ~plain(bytes, 0, length, ~crc) >>> 0;
  const start = (4 - (bytes.byteOffset & 3)) & 3;
  const end = start + Math.floor((length - start) / SLICE_BYTES) * SLICE_BYTES;
  let register = plain(bytes, 0, start, ~crc);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, (end - start) / 4);
  register = sliced(words, register);
  return ~plain(bytes, end, length, register) >>> 0;
}

function plain(bytes: Uint8Array, start: number, end: number, before: number): number {
  let register = before;
  for (let i = start; i < end; i++) {
    register = (T0[(register ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (register >>> 8);
  }
  return register;
}

/** Eight bytes at a time; nothing in the tables is undefined, which `| 0` says without a branch. */
function sliced(words: Int32Array, before: number): number {
  let register = before;
  for (let i = 0; i < words.length; i += 2) {
    const low = register ^ ((words[i] as number) | 0);
    const high = (words[i + 1] as number) | 0;
    register =
      (T7[low & 0xff] as number) ^
      (T6[(low >>> 8) & 0xff] as number) ^
      (T5[(low >>> 16) & 0xff] as number) ^
      (T4[low >>> 24] as number) ^
      (T3[high & 0xff] as number) ^
      (T2[(high >>> 8) & 0xff] as number) ^
      (T1[(high >>> 16) & 0xff] as number) ^
      (T0[high >>> 24] as number);
  }
  return register;
}

type Tables = readonly [
  ...[Int32Array, Int32Array, Int32Array, Int32Array],
  ...[Int32Array, Int32Array, Int32Array, Int32Array],
];

function makeTables(): Tables {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    return value;
  });
  const tables = [first];
  for (let n = 1; n < SLICE_BYTES; n++) {
    // As the one before, with a byte of zero behind.
    const before = tables[n - 1] ?? first;
    tables.push(before.map((value) => (first[value & 0xff] ?? 0) ^ (value >>> 8)));
  }
  return tables as unknown as Tables;
}
