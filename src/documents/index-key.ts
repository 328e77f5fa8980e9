import { createHash } from 'node:crypto';

const TAG = {
  null: 0x10,
  false: 0x20,
  true: 0x21,
  number: 0x30,
  string: 0x40,
  array: 0x50,
  object: 0x60,
};
const END = 0x01;
/** Longer encodings are cut and end in their SHA-256: equal values still meet, order is lost. */
const VALUE_MAX_BYTES = 512;
const VALUE_HEAD_BYTES = 256;

/**
 * Encodes the values of an index entry so that equal values have equal bytes, no encoding is the
 * beginning of another, and bytes sort as null < false < true < numbers < strings < arrays < objects.
 * Numbers compare as doubles, as in the databases this imitates.
 */
export function encodeIndexValues(values: readonly unknown[]): Buffer {
  return Buffer.concat(values.map((value) => shorten(encode(value))));
}

function shorten(encoded: Buffer): Buffer {
  if (encoded.length <= VALUE_MAX_BYTES) return encoded;
  const hash = createHash('sha256').update(encoded).digest();
  return Buffer.concat([encoded.subarray(0, VALUE_HEAD_BYTES), Buffer.from([0xff]), hash]);
}

function encode(value: unknown): Buffer {
  if (value === null || value === undefined) return Buffer.from([TAG.null]);
  if (typeof value === 'boolean') return Buffer.from([value ? TAG.true : TAG.false]);
  if (typeof value === 'number') return encodeNumber(value);
  if (typeof value === 'string') return encodeString(TAG.string, value);
  if (Array.isArray(value)) {
    return Buffer.concat([
      Buffer.from([TAG.array]),
      ...value.map((element) => encode(element)),
      Buffer.from([END]),
    ]);
  }
  const members = Object.entries(value as Record<string, unknown>).sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  return Buffer.concat([
    Buffer.from([TAG.object]),
    ...members.flatMap(([name, member]) => [encodeString(TAG.string, name), encode(member)]),
    Buffer.from([END]),
  ]);
}

function encodeNumber(value: number): Buffer {
  const encoded = Buffer.allocUnsafe(9);
  encoded[0] = TAG.number;
  encoded.writeDoubleBE(value === 0 ? 0 : value, 1);
  // Positive numbers: set the sign bit; negative ones: flip all bits. Then bytes sort as numbers do.
  const negative = ((encoded[1] ?? 0) & 0x80) !== 0;
  for (let i = 1; i < 9; i++) {
    const byte = encoded[i] ?? 0;
    encoded[i] = negative ? ~byte & 0xff : i === 1 ? byte | 0x80 : byte;
  }
  return encoded;
}

/** Escapes 0x00 as 0x00 0xff and ends with 0x00 0x00, so that a longer string sorts after its start. */
function encodeString(tag: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  const out: number[] = [tag];
  for (const byte of bytes.subarray(0, VALUE_MAX_BYTES)) {
    out.push(byte);
    if (byte === 0) out.push(0xff);
  }
  if (bytes.length <= VALUE_MAX_BYTES) return Buffer.from([...out, 0, 0]);
  // Too long for a key anyway: the rest takes part through its hash.
  const hash = createHash('sha256').update(bytes).digest();
  return Buffer.concat([Buffer.from(out), Buffer.from([0, 1]), hash]);
}
