import type { DumpPage } from '../follower/leader-page.ts';
import type { Tick } from '../model/tick.ts';
import { parseTick } from '../model/tick.ts';
import { BareLines } from './bare-lines.ts';
import type { DumpDirectoryWriter } from './dump-directory-writer.ts';
import type { DumpSource, ListedCollection } from './dump-source.ts';
import type { DumpState } from './dump-state.ts';
import type { CollectionTransfer } from './transfer.ts';

/** What of collections is dumped, and how. */
export interface DumpRange {
  /** Exclusive. */
  readonly from: Tick;
  /** Inclusive. */
  readonly to: Tick;
  readonly batchSize: number;
  readonly initialBatchSize: number | undefined;
  readonly envelope: boolean;
}

/** What the parts of a dump work with. */
export interface DumpParts {
  readonly source: DumpSource;
  readonly writer: DumpDirectoryWriter;
  readonly state: DumpState;
}

/** A part of a file is closed, and counts, when as many bytes of lines are in it. */
const PART_BYTES = 16 * 1024 * 1024;

/**
 * Writes the lines of a collection, behind those that an interrupted dump has already written. What has come when
 * something fails, or the dump is interrupted, is in the file and in the state.
 */
export async function dumpData(
  { source, writer, state }: DumpParts,
  collection: ListedCollection,
  range: DumpRange,
  counted: CollectionTransfer,
  signal: AbortSignal,
): Promise<void> {
  const { from, to, batchSize: maxChunkBytes, initialBatchSize, envelope } = range;
  const { name } = collection;
  const asked = {
    to,
    firstChunkBytes: Math.min(initialBatchSize ?? maxChunkBytes, maxChunkBytes),
    maxChunkBytes,
    ticks: !envelope,
  };
  if (!envelope) {
    // Which documents are gone is known only at the end: such a file cannot be gone on with.
    const pages = (): AsyncIterable<DumpPage> =>
      source.pages(collection, { ...asked, from }, signal);
    const write = (lines: AsyncIterable<Buffer>): Promise<void> =>
      writer.writeData(name, counting(lines, counted));
    const bare = new BareLines(name);
    await write(bare.lines(pages(), false));
    if (!bare.hasRemovals) return;
    counted.restart();
    await write(bare.lines(pages(), true));
    return;
  }
  const before = state.parts.get(name);
  const file = await writer.openData(name, before?.bytes ?? 0);
  let position = parseTick(before?.tick ?? '') ?? from;
  if (before) counted.resume(before.sum);
  const pages = source
    .pages(collection, { ...asked, from: position }, signal)
    [Symbol.asyncIterator]();
  for (let isOver = false; !isOver;) {
    const part = new FilePart(pages, counted);
    await file.append(part);
    position = part.position ?? position;
    const { bytes } = file;
    await state.advance(name, {
      isDone: false,
      bytes,
      tick: position.toString(),
      sum: counted.sum,
    });
    if (part.failure !== undefined) throw part.failure.error;
    isOver = part.isLast;
  }
  writer.finishData(name);
}

/** Pages that go to the disk together. A failure ends the part, and what came before it is good. */
class FilePart implements AsyncIterable<Buffer> {
  readonly #pages: AsyncIterator<DumpPage>;
  readonly #counted: CollectionTransfer;
  #bytes = 0;
  #isLast = false;
  #position: Tick | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(pages: AsyncIterator<DumpPage>, counted: CollectionTransfer) {
    this.#pages = pages;
    this.#counted = counted;
  }

  /** Whether there is nothing behind it. */
  get isLast(): boolean {
    return this.#isLast;
  }

  /** Up to which tick it has the lines; undefined when it has none. */
  get position(): Tick | undefined {
    return this.#position;
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    while (this.#bytes < PART_BYTES) {
      let next: IteratorResult<DumpPage>;
      try {
        next = await this.#pages.next();
      } catch (error) {
        this.#failure = { error };
        return;
      }
      if (next.done === true) {
        this.#isLast = true;
        return;
      }
      const { body, lastIncluded } = next.value;
      this.#bytes += body.length;
      this.#position = lastIncluded;
      this.#counted.add(body);
      yield body;
    }
  }
}

async function* counting(
  chunks: AsyncIterable<Buffer>,
  counted: CollectionTransfer,
): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of chunks) {
    counted.add(chunk);
    yield chunk;
  }
}
