/**
 * Neighbouring lines of a page that go into a journal as they are, but for their ticks: columns by line. Offsets
 * are bytes into the page.
 */
export interface LineRun {
  readonly page: Buffer;
  readonly count: number;
  /** Where the first line begins. */
  readonly start: number;
  /** Behind the newline of each line, where the next one begins. */
  readonly ends: Int32Array;
  /** Marker types: removals, and of upserts one. */
  readonly types: Uint16Array;
  /** Of the key's text, which is plain ASCII, and of its end, exclusive; likewise of the revision. */
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  readonly revStarts: Int32Array;
  readonly revEnds: Int32Array;
  /** Where the digits of a tick begin, from the beginning of its line on. */
  readonly tickAt: number;
  /** Digits of each line's tick, 15 at most. */
  readonly tickDigits: number;
}
