/** Longer ones are made when asked for, and not kept. */
const KEPT_BYTES_MAX = 1024;

/**
 * Buffers for keys and values that are copied as soon as they are handed on, one a length, so that
 * writing a record allocates nothing.
 */
export class Scratch {
  readonly #byLength: (Buffer | undefined)[] = [];

  /** A buffer of this length, with whatever is in it; valid until one of the same length is taken. */
  take(length: number): Buffer {
    if (length > KEPT_BYTES_MAX) return Buffer.allocUnsafe(length);
    return (this.#byLength[length] ??= Buffer.allocUnsafeSlow(length));
  }

  /** The bytes that a latin1 text stands for; valid likewise. */
  bytes(text: string): Buffer {
    const buffer = this.take(text.length);
    buffer.write(text, 0, 'latin1');
    return buffer;
  }
}
