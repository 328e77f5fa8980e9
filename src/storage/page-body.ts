import { crc32 } from 'node:zlib';
import { joinedCrc32 } from './crc32-parts.ts';

/** The bytes of a page, in pieces that are parts of the blocks they come from: putting them together costs more. */
export class PageBody {
  readonly pieces: readonly Buffer[];
  /** In bytes. */
  readonly length: number;
  readonly crc32: number;

  /** @param known what its builder has counted already */
  constructor(pieces: readonly Buffer[], known: { length: number; crc32: number }) {
    this.pieces = pieces;
    this.length = known.length;
    this.crc32 = known.crc32;
  }

  static of(bytes: Buffer): PageBody {
    const pieces = bytes.length === 0 ? [] : [bytes];
    return new PageBody(pieces, { length: bytes.length, crc32: crc32(bytes) });
  }

  /** In one piece: a copy, unless it is one already. */
  toBuffer(): Buffer {
    const [only] = this.pieces;
    return only && this.pieces.length === 1 ? only : Buffer.concat(this.pieces, this.length);
  }

  toString(): string {
    return this.toBuffer().toString();
  }
}

/** Puts a body together, piece by piece. */
export class PageBodyBuilder {
  readonly #pieces: Buffer[] = [];
  #length = 0;
  #crc32 = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** @param pieceCrc32 CRC32 of the piece, where it is known without reading it */
  add(piece: Buffer, pieceCrc32?: number): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#crc32 =
      pieceCrc32 === undefined
        ? crc32(piece, this.#crc32)
        : joinedCrc32(this.#crc32, pieceCrc32, piece.length);
  }

  /** Adds a whole body behind what there is. */
  addBody({ pieces, length, crc32: bodyCrc32 }: PageBody): void {
    this.#pieces.push(...pieces);
    this.#length += length;
    this.#crc32 = joinedCrc32(this.#crc32, bodyCrc32, length);
  }

  finish(): PageBody {
    return new PageBody(this.#pieces, { length: this.#length, crc32: this.#crc32 });
  }
}
