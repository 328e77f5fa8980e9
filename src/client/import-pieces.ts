/** The body of an import in the making. */
export interface ImportSource {
  /** Lines, many in a piece. */
  readonly pieces: AsyncIterable<string>;
  /** What the documents' source has thrown, if it did. */
  readonly failure: { readonly error: unknown } | undefined;
}

const PIECE_CHARS = 64 * 1024;

/** Prints documents as lines, in pieces that are worth sending; each is made when it is asked for. */
export function importPieces(documents: Iterable<object> | AsyncIterable<object>): ImportSource {
  let failure: ImportSource['failure'];
  async function* print(): AsyncGenerator<string, void, void> {
    let piece = '';
    try {
      for await (const document of documents) {
        piece += `${JSON.stringify(document)}\n`;
        if (piece.length < PIECE_CHARS) continue;
        yield piece;
        piece = '';
      }
    } catch (error) {
      failure = { error };
      throw error;
    }
    if (piece !== '') yield piece;
  }
  return {
    pieces: print(),
    get failure() {
      return failure;
    },
  };
}
