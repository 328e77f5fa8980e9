/** What stands where in the row of a document: offsets into its source, -1 for nothing. */
export const RowColumn = {
  keyStart: 0,
  keyEnd: 1,
  /** Of the revision to be kept. */
  revStart: 2,
  revEnd: 3,
  fromStart: 4,
  fromEnd: 5,
  toStart: 6,
  toEnd: 7,
  /**
   * From the first of the user's attributes, or the closing brace where there is none, to behind the closing brace:
   * JSON without newlines or repeated names, and without `_key` and the like on its top level.
   */
  restStart: 8,
  restEnd: 9,
} as const;

/** Cells of a row. */
export const ROW_CELLS = 10;

/**
 * Documents that have been checked and stand in a buffer: one row of numbers each, with nothing made for it. Keys,
 * revisions and handles are ASCII in which JSON has nothing to escape.
 */
export interface DocumentRows {
  readonly source: Buffer;
  /** Rows one behind the other. */
  readonly cells: Int32Array;
  /** How many. */
  readonly count: number;
}

/** The text of a key; a view of nothing. */
export function rowKey({ source, cells }: DocumentRows, row: number): string {
  const at = row * ROW_CELLS;
  return source.toString('latin1', cells[at + RowColumn.keyStart], cells[at + RowColumn.keyEnd]);
}

/** More than the names of `_key` and the like take, and a revision that is made here. */
const HEAD_MAX_BYTES = 100;

/** A bound of the length of the longest document as it will be stored, less than 100 bytes above it. */
export function longestRow({ cells, count }: DocumentRows): number {
  let longest = 0;
  for (let at = 0; at < count * ROW_CELLS; at += ROW_CELLS) {
    let bytes = 0;
    for (let start = at; start < at + ROW_CELLS; start += 2) {
      bytes += (cells[start + 1] ?? 0) - (cells[start] ?? 0);
    }
    if (bytes > longest) longest = bytes;
  }
  return longest + HEAD_MAX_BYTES;
}

/** Whether each key is above the one before it, in byte order. */
export function isAscending(rows: DocumentRows): boolean {
  for (let row = 1; row < rows.count; row++) if (!isAbove(rows, row)) return false;
  return true;
}

/** Whether the key of a row is above that of the row before. */
function isAbove({ source, cells }: DocumentRows, row: number): boolean {
  const cell = row * ROW_CELLS;
  let at = cells[cell + RowColumn.keyStart] ?? 0;
  let other = cells[cell - ROW_CELLS + RowColumn.keyStart] ?? 0;
  const end = cells[cell + RowColumn.keyEnd] ?? 0;
  const otherEnd = cells[cell - ROW_CELLS + RowColumn.keyEnd] ?? 0;
  for (; at < end && other < otherEnd; at++, other++) {
    const difference = (source[at] ?? 0) - (source[other] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return at < end;
}
