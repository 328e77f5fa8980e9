import { counted } from '../base/words.ts';
import { ServiceError } from '../model/errors.ts';

/** The bytes of a document whose end has not come yet. */
export class Unfinished {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** @param options.maxBytes longest document; more is refused before it is held in memory */
  constructor(options: { maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws ServiceError documentTooLarge */
  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#bytes += piece.length;
    if (this.#bytes > this.#maxBytes) {
      throw new ServiceError(
        'documentTooLarge',
        `a document of the body is larger than ${counted(this.#maxBytes, 'byte')}`,
        { httpStatus: 413 },
      );
    }
    this.#pieces.push(piece);
  }

  /** Everything so far and `last`. @throws ServiceError documentTooLarge */
  take(last?: Buffer): Buffer {
    if (last) this.add(last);
    const [only] = this.#pieces;
    const all = this.#pieces.length === 1 && only ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    return all;
  }
}
