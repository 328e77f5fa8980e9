import type { FileHandle } from 'node:fs/promises';
import { readStretch } from './file-reading.ts';
import {
  BLOCK_TRAILER_BYTES,
  type BlockHandle,
  FileDamage,
  type TableEntry,
  VarintReader,
  blockEntries,
  checkedBlock,
  compareVersions,
} from './table-block.ts';

/*
 * A table: blocks of data, a block of filters, one that says where those are, the index - behind the last key of
 * each block of data where it lies - and a footer: the handles of the last two, padded, and a magic number.
 * Nothing lies between them, so everything in the file is covered by a checksum or compared with what it must be.
 */
const FOOTER_BYTES = 48;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
const FILTER_NAME = 'filter.';
/** Blocks that lie together are read together up to this size. */
const READ_BYTES = 1024 * 1024;

/** A block of data as the index of its table has it. */
interface IndexedBlock extends BlockHandle {
  /** No key in it is above this one, none in later blocks below. */
  readonly upTo: TableEntry;
}

/** One table of LevelDB, whose index and filters have been checked when it was opened. */
export class TableFile {
  readonly #file: FileHandle;
  readonly #blocks: readonly IndexedBlock[];

  private constructor(file: FileHandle, blocks: readonly IndexedBlock[]) {
    this.#file = file;
    this.#blocks = blocks;
  }

  /**
   * Reads footer, index and filters, and checks that with the data they fill the file.
   * @param file closed by the caller
   * @throws FileDamage
   */
  static async open(file: FileHandle): Promise<TableFile> {
    const { size } = await file.stat();
    if (size < FOOTER_BYTES) throw new FileDamage('it is too short');
    const footerAt = size - FOOTER_BYTES;
    const { metaIndex, index } = readFooter(await readStretch(file, footerAt, FOOTER_BYTES));
    const indexEnd = endOf(index);
    if (endOf(metaIndex) !== index.offset || indexEnd !== footerAt) {
      throw new FileDamage('its footer does not fit it');
    }
    const blocks = readIndex(await readBlock(file, index));
    const dataEnd = blocks.reduce((at, block) => {
      if (block.offset !== at) throw new FileDamage('its index does not fit it');
      return endOf(block);
    }, 0);
    const filter = readMetaIndex(await readBlock(file, metaIndex));
    if (filter) {
      if (filter.offset !== dataEnd) throw new FileDamage('its filters are not where they must be');
      await readBlock(file, filter);
    }
    if ((filter ? endOf(filter) : dataEnd) !== metaIndex.offset) {
      throw new FileDamage('its index does not fit it');
    }
    return new TableFile(file, blocks);
  }

  /**
   * The entries of one block after another, beginning with the first block that may hold the key; each is
   * checked against its checksum and the index.
   * @param options.checked leave the checksums out: they have been checked
   * @throws FileDamage
   */
  async *blocks(
    from?: Buffer,
    options: { checked?: boolean } = {},
  ): AsyncGenerator<TableEntry[], void, void> {
    let next = from ? this.#firstUpTo(from) : 0;
    let before = this.#blocks[next - 1]?.upTo;
    while (next < this.#blocks.length) {
      const run = this.#run(next);
      const start = run[0]?.offset ?? 0;
      const stretch = await readStretch(this.#file, start, endOf(run.at(-1)) - start);
      for (const { offset, size, upTo } of run) {
        const at = offset - start;
        const block = options.checked
          ? stretch.subarray(at, at + size)
          : checkedBlock(stretch, at, size);
        const entries = blockEntries(block);
        expectBetween(entries, before, upTo);
        before = upTo;
        yield entries;
      }
      next += run.length;
    }
  }

  /**
   * Reads all blocks, a MiB or so at a time, and says for each time which of them are damaged: between which keys,
   * the first of them undefined at the beginning of the table.
   */
  async *damagedBlocks(): AsyncGenerator<
    readonly { readonly from: Buffer | undefined; readonly to: Buffer; readonly what: string }[],
    void,
    void
  > {
    for (let next = 0; next < this.#blocks.length;) {
      const run = this.#run(next);
      const start = run[0]?.offset ?? 0;
      const stretch = await readStretch(this.#file, start, endOf(run.at(-1)) - start);
      const first = next;
      yield run.flatMap(({ offset, size, upTo }, i) => {
        const what = flawOf(stretch, offset - start, size);
        if (what === undefined) return [];
        return { from: this.#blocks[first + i - 1]?.upTo.key, to: upTo.key, what };
      });
      next += run.length;
    }
  }

  /** Blocks that are read together. */
  #run(first: number): IndexedBlock[] {
    const start = this.#blocks[first]?.offset ?? 0;
    let end = first + 1;
    while (end < this.#blocks.length && endOf(this.#blocks[end]) - start <= READ_BYTES) end++;
    return this.#blocks.slice(first, end);
  }

  #firstUpTo(key: Buffer): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const block = this.#blocks[middle];
      if (block && Buffer.compare(block.upTo.key, key) >= 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** What is wrong with a block, if anything is. */
function flawOf(stretch: Buffer, start: number, size: number): string | undefined {
  try {
    checkedBlock(stretch, start, size);
    return undefined;
  } catch (error) {
    if (error instanceof FileDamage) return error.message;
    throw error;
  }
}

/** Where the next block begins. */
function endOf(handle: BlockHandle | undefined): number {
  return handle ? handle.offset + handle.size + BLOCK_TRAILER_BYTES : 0;
}

function readFooter(footer: Buffer): { metaIndex: BlockHandle; index: BlockHandle } {
  const magicAt = FOOTER_BYTES - MAGIC.length;
  if (footer.length < FOOTER_BYTES || !footer.subarray(magicAt).equals(MAGIC)) {
    throw new FileDamage('its footer is not that of a table');
  }
  const reader = new VarintReader(footer, 0, magicAt);
  const metaIndex = reader.handle();
  const index = reader.handle();
  if (footer.subarray(reader.at, magicAt).some((byte) => byte !== 0)) {
    throw new FileDamage('its footer is not that of a table');
  }
  return { metaIndex, index };
}

async function readBlock(file: FileHandle, { offset, size }: BlockHandle): Promise<Buffer> {
  return checkedBlock(await readStretch(file, offset, size + BLOCK_TRAILER_BYTES), 0, size);
}

function readIndex(block: Buffer): IndexedBlock[] {
  return blockEntries(block).map((upTo) => ({ ...new VarintReader(upTo.value).handle(), upTo }));
}

/** Where the filters are; undefined where there are none. Its keys have nothing behind them. */
function readMetaIndex(block: Buffer): BlockHandle | undefined {
  const name = block.indexOf(FILTER_NAME);
  if (name < 0) return undefined;
  const reader = new VarintReader(block);
  reader.next();
  const keyBytes = reader.next();
  reader.next();
  reader.at += keyBytes;
  return reader.handle();
}

function expectBetween(
  entries: readonly TableEntry[],
  before: TableEntry | undefined,
  upTo: TableEntry,
): void {
  const [first] = entries;
  const last = entries.at(-1);
  if (!first || !last) throw new FileDamage('a block of it is empty');
  if ((before && compareVersions(before, first) >= 0) || compareVersions(last, upTo) > 0) {
    throw new FileDamage('its index does not fit its blocks');
  }
}
