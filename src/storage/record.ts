import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { ServiceError } from '../model/errors.ts';

const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });

/**
 * Packs a meta record with a CRC32 in front that covers the key too: LevelDB itself does not notice
 * a flipped byte in a table.
 */
export function encodeRecord(key: Buffer, record: unknown): Buffer {
  return protect(key, packr.pack(record));
}

/** @throws ServiceError storageDamaged when the checksum does not hold. */
export function decodeRecord<T>(key: Buffer, value: Buffer): T {
  return packr.unpack(unprotect(key, value)) as T;
}

/** Puts the CRC32 of key and payload in front of the payload. */
export function protect(key: Buffer, payload: Buffer): Buffer {
  const value = Buffer.allocUnsafe(4 + payload.length);
  value.writeUInt32LE(crc32(payload, crc32(key)), 0);
  payload.copy(value, 4);
  return value;
}

/** @throws ServiceError storageDamaged when the checksum does not hold. */
export function unprotect(key: Buffer, value: Buffer): Buffer {
  const payload = value.subarray(4);
  if (value.length < 4 || value.readUInt32LE(0) !== crc32(payload, crc32(key))) {
    throw new ServiceError('storageDamaged', `record ${key.toString('hex')} fails its checksum`);
  }
  return payload;
}
