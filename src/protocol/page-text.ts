/** Bytes and texts one behind the other, in one buffer that grows. */
export class PageText {
  #buffer: Buffer;
  #length = 0;

  /** @param expectedBytes room for so many is made at first */
  constructor(expectedBytes: number) {
    this.#buffer = Buffer.allocUnsafe(expectedBytes);
  }

  /** Adds a text in UTF-8. */
  text(text: string): void {
    // The most that UTF-8 needs for a character of a string.
    this.#reserve(text.length * 3);
    this.#length += this.#buffer.write(text, this.#length);
  }

  /** Adds a part of `source`; `end` is exclusive. */
  bytes(source: Buffer, start: number, end: number): void {
    this.#reserve(end - start);
    this.#length += source.copy(this.#buffer, this.#length, start, end);
  }

  /** All of it; what is added later may or may not show in it. */
  whole(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
