/** What a document counts towards the size of its transaction besides its own length: the rest of its lines. */
export const LINE_EXTRA_BYTES = 250;
/** What a removal counts: its lines, and its place in memory. */
export const REMOVAL_BYTES = 512;
/** What a value in a unique index counts besides its own length, where it is held until the commit. */
export const VALUE_EXTRA_BYTES = 100;
