import { Fifo } from '../base/fifo.ts';
import { ServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { commitKey } from './keys.ts';
import { protect, unprotect } from './record.ts';

/** One link: what the last batch was, and from which link on all must still be there. */
export interface CommitLink {
  readonly sequence: number;
  /** CRC32 of the link before, 0 for the first. */
  readonly previousCrc: number;
  /** Largest tick of the batch. */
  readonly tick: Tick;
  /** Links from here on may still lie in the write-ahead log. */
  readonly oldest: number;
  readonly crc: number;
}

const PAYLOAD_BYTES = 28;
/** What a link itself adds to its batch: key, checksum, payload. */
const LINK_BYTES = 9 + 4 + PAYLOAD_BYTES;

/**
 * Every commit writes one link. LevelDB drops damaged records of its write-ahead log without a
 * word, so opening checks that no link is missing among those the log can still hold.
 */
export class CommitChain {
  readonly #keepBytes: number;
  readonly #perCommitMaxBytes: number;
  #last: CommitLink | undefined;
  /** Bytes of the batches of the links kept; they are consecutive, and `#oldest` is the first. */
  readonly #kept = new Fifo<number>();
  #oldest = 0;
  #keptBytes = 0;

  /** @param options.writeBufferBytes size of LevelDB's write buffer: two of them can be unflushed. */
  constructor(options: { writeBufferBytes: number }) {
    this.#keepBytes = 4 * options.writeBufferBytes;
    this.#perCommitMaxBytes = options.writeBufferBytes;
  }

  get last(): CommitLink | undefined {
    return this.#last;
  }

  /**
   * Takes the links found in the store, in key order.
   * @throws ServiceError storageDamaged when one is missing or does not fit.
   */
  load(links: Iterable<{ key: Buffer; value: Buffer }>): void {
    for (const { key, value } of links) {
      const link = decodeLink(key, value);
      const previous = this.#last;
      if (
        previous &&
        (link.sequence !== previous.sequence + 1 || link.previousCrc !== previous.crc)
      ) {
        throw broken(`commit ${previous.sequence + 1} is missing`);
      }
      this.#last = link;
      this.#keep(link.sequence, 0);
    }
    const last = this.#last;
    if (last && this.#oldest > last.oldest) throw broken(`commit ${last.oldest} is missing`);
  }

  /** The link for the next batch, and the keys of links that are no longer needed. */
  next(
    tick: Tick,
    bytes: number,
  ): { link: CommitLink; key: Buffer; value: Buffer; stale: Buffer[] } {
    const sequence = (this.#last?.sequence ?? 0) + 1;
    this.#keep(sequence, Math.min(bytes + LINK_BYTES, this.#perCommitMaxBytes));
    const stale = this.#dropStale();
    const oldest = this.#oldest;
    const previousCrc = this.#last?.crc ?? 0;
    const key = commitKey(sequence);
    const value = encodeLink(key, { sequence, previousCrc, tick, oldest });
    const link = { sequence, previousCrc, tick, oldest, crc: value.readUInt32LE(0) };
    this.#last = link;
    return { link, key, value, stale };
  }

  #keep(sequence: number, bytes: number): void {
    if (this.#kept.length === 0) this.#oldest = sequence;
    this.#kept.push(bytes);
    this.#keptBytes += bytes;
  }

  #dropStale(): Buffer[] {
    const stale: Buffer[] = [];
    for (;;) {
      // Loaded links have no size; they go once enough has been written after them.
      const bytes = this.#kept.at(0);
      if (bytes === undefined || this.#keptBytes - bytes <= this.#keepBytes) return stale;
      this.#kept.shift();
      this.#keptBytes -= bytes;
      stale.push(commitKey(this.#oldest++));
    }
  }
}

function encodeLink(key: Buffer, link: Omit<CommitLink, 'crc'>): Buffer {
  const payload = Buffer.allocUnsafe(PAYLOAD_BYTES);
  payload.writeBigUInt64BE(BigInt(link.sequence), 0);
  payload.writeUInt32BE(link.previousCrc, 8);
  payload.writeBigUInt64BE(link.tick, 12);
  payload.writeBigUInt64BE(BigInt(link.oldest), 20);
  return protect(key, payload);
}

function decodeLink(key: Buffer, value: Buffer): CommitLink {
  const payload = unprotect(key, value);
  return {
    sequence: Number(payload.readBigUInt64BE(0)),
    previousCrc: payload.readUInt32BE(8),
    tick: payload.readBigUInt64BE(12),
    oldest: Number(payload.readBigUInt64BE(20)),
    crc: value.readUInt32LE(0),
  };
}

/** What an operator is told when acknowledged commits are gone. */
export function broken(what: string): ServiceError {
  return new ServiceError(
    'storageDamaged',
    `the commit chain of this data directory is broken: ${what}, so acknowledged writes are lost. ` +
      'Restore the directory from a backup, or copy the data anew from another server into an empty directory.',
  );
}
