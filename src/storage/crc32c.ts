const POLYNOMIAL = 0x82f63b78;
const TABLE = makeTable();

/**
 * CRC-32C (Castagnoli), which LevelDB's own files carry; blocks and records of ours have the CRC-32 of zlib.
 * @param crc the result for the bytes before these, to go on from
 */
export function crc32c(bytes: Uint8Array, crc = 0): number {
  let register = ~crc;
  const { length } = bytes;
  for (let i = 0; i < length; i++) {
    register = (TABLE[(register ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (register >>> 8);
  }
  return ~register >>> 0;
}

function makeTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    return value;
  });
}
