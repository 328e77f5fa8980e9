/**
 * Neighbouring lines of a page, of a journal or of a log, that are all about documents: columns by line. Offsets are
 * bytes into the page.
 */
export interface LineRun {
  readonly page: Buffer;
  /** Of the page. */
  readonly view: DataView;
  readonly count: number;
  /** Where the first line begins. */
  readonly start: number;
  /** Behind the newline of each line, where the next one begins. */
  readonly ends: Int32Array;
  /** Whether they are of several collections. */
  readonly isMixed: boolean;
  /** Marker types: removals, and in each collection of upserts one. */
  readonly types: Uint16Array;
  /** Of the key's text, which is plain ASCII, and of its end, exclusive; likewise of the revision. */
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  readonly revStarts: Int32Array;
  readonly revEnds: Int32Array;
  /** Of what follows the revision, or the old one where there is one: from here to the end a journal has it, too. */
  readonly tails: Int32Array;
  /** Whether the lines are those of a journal: then they go into one as they are, but for their ticks. */
  readonly isJournal: boolean;
  /** Where the digits of a tick begin, from the beginning of its line on. */
  readonly tickAt: number;
  /** Digits of each line's tick, 15 at most. */
  readonly tickDigits: number;
}
