import { openPage, type PageLines } from '../follower/page-lines.ts';
import type { DumpPage } from '../follower/leader-page.ts';
import { MarkerType } from '../model/marker.ts';
import { buildData, jsonString } from '../protocol/json-text.ts';

/** Bytes of keys whose documents are gone that are kept in mind, each with what a set needs for it. */
const GONE_MAX_BYTES = 96 * 1024 * 1024;
const ENTRY_BYTES = 64;

/**
 * Makes documents, one a line and with nothing around them, of a collection's dump (contract 8.1,
 * `useEnvelope: false`). A removal can not be said that way; but only when the dump is at its end is
 * it known which documents are not there. So a dump with removals has to be gone over twice:
 *
 *     write(bare.lines(pages))            // learns which documents are gone
 *     if (bare.hasRemovals) write(bare.lines(pages again))
 */
export class BareLines {
  readonly #collection: string;
  /** Keys whose last line is a removal. */
  readonly #gone = new Set<string>();
  #goneBytes = 0;

  /** @param collection its name, for the ids of documents */
  constructor(collection: string) {
    this.#collection = collection;
  }

  /** Whether what was written last holds documents that are not there. */
  get hasRemovals(): boolean {
    return this.#gone.size > 0;
  }

  /**
   * The documents of a dump in their order, older states of a document included.
   *
   * @param pages with ticks
   * @param isSecond leaves out documents that the first time found to be gone
   * @throws Error when more documents are gone than can be kept in mind; ServiceError for a bad line
   */
  async *lines(
    pages: AsyncIterable<DumpPage>,
    isSecond: boolean,
  ): AsyncGenerator<Buffer, void, void> {
    for await (const { body, verified } of pages) {
      const lines = openPage(body, verified);
      const out: Buffer[] = [];
      while (lines.next()) {
        const { key, type } = lines;
        if (isSecond) {
          if (type !== MarkerType.remove && !this.#gone.has(key)) this.#print(body, lines, out);
        } else if (type === MarkerType.remove) {
          this.#remember(key);
        } else {
          if (this.#gone.delete(key)) this.#goneBytes -= key.length + ENTRY_BYTES;
          this.#print(body, lines, out);
        }
      }
      if (out.length > 0) yield Buffer.concat(out);
    }
  }

  #remember(key: string): void {
    if (this.#gone.has(key)) return;
    // The key may be a slice of the page, which must not be kept for it.
    this.#gone.add(Buffer.from(key).toString());
    this.#goneBytes += key.length + ENTRY_BYTES;
    if (this.#goneBytes <= GONE_MAX_BYTES) return;
    throw new Error(
      `too many documents were removed from '${this.#collection}' to leave them out; ` +
        'dump it with --envelope true',
    );
  }

  #print(body: Buffer, lines: PageLines, out: Buffer[]): void {
    const id = `{"_id":${jsonString(`${this.#collection}/${lines.key}`)},`;
    if (lines.exact) {
      // Behind the opening brace, in place of which the id stands.
      out.push(Buffer.from(id), body.subarray(lines.dataStart + 1, lines.dataEnd), END_OF_LINE);
      return;
    }
    const { from, to, rest } = lines.parsed();
    const data = buildData(lines.key, lines.rev, from, to, rest);
    out.push(Buffer.from(`${id}${data.slice(1)}\n`));
  }
}

const END_OF_LINE = Buffer.from('\n');
