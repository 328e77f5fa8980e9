import type { Tick } from '../model/tick.ts';
import { Block } from './block.ts';
import { closeIterator } from './close-iterator.ts';
import type { Level } from './commit-group.ts';
import { type BlockSpace, blockKey, blockKeyNumber, numberRange } from './keys.ts';

/** Read at a time: small enough that what is read is still near the processor when it is checked. */
const READ_AHEAD_BYTES = 512 * 1024;
const BLOCKS_PER_READ = 64;
/** What is read of a log that may be followed by one that nobody wants; twice as much whenever it goes on. */
const BLOCKS_AT_FIRST = 2;

type Entries = [Buffer, Buffer][];

interface EntrySource {
  readonly nextv: (size: number) => Promise<Entries>;
}

/**
 * Reads the blocks of one log that hold ticks above `from`, in order. Every block is checked, while the
 * next ones are read, as long as that makes no more than `expectedBytes`. What is committed while it reads is not seen; the iterator is closed when the caller leaves the loop.
 * @throws ServiceError storageDamaged at the first damaged block.
 */
export async function* readBlocks(
  level: Level,
  range: { space: BlockSpace; number: number; from: Tick; expectedBytes?: number },
): AsyncGenerator<Block, void, void> {
  const iterator = level.iterator({
    gt: blockKey(range.space, range.number, range.from),
    lt: numberRange(range.space, range.number).end,
    highWaterMarkBytes: Math.min(READ_AHEAD_BYTES, range.expectedBytes ?? READ_AHEAD_BYTES),
  });
  const expected = range.expectedBytes ?? Infinity;
  let bytes = 0;
  let blocks = 0;
  let reading: Promise<Entries> | undefined;
  let lastKey: Buffer | undefined;
  try {
    for (;;) {
      const entries = await (reading ?? iterator.nextv(BLOCKS_PER_READ));
      const last = entries.at(-1);
      if (!last) return;
      [lastKey] = last;
      for (const [, value] of entries) bytes += value.length;
      blocks += entries.length;
      const blocksLeft = Math.ceil((expected - bytes) / (bytes / blocks));
      reading = blocksLeft > 0 ? readAhead(iterator, blocksLeft) : undefined;
      for (const [key, value] of entries) yield new Block(key, value);
    }
  } finally {
    await reading?.catch(() => undefined);
    await closeIterator(iterator, lastKey);
  }
}

/**
 * Reads all blocks of several logs that lie near to each other, such as those of collections that were created one after
 * another: with one iterator, which passes over what stands between them.
 * @param range.numbers of the logs, ascending; at least one
 * @throws ServiceError storageDamaged at the first damaged block of these logs
 */
export async function* readBlocksOf(
  level: Level,
  range: { space: BlockSpace; numbers: readonly number[]; expectedBytes: number },
): AsyncGenerator<{ readonly number: number; readonly block: Block }, void, void> {
  const { space, numbers, expectedBytes } = range;
  const wanted = new Set(numbers);
  const iterator = level.iterator({
    gte: numberRange(space, numbers[0] ?? 0).start,
    lt: numberRange(space, numbers.at(-1) ?? 0).end,
    highWaterMarkBytes: Math.min(READ_AHEAD_BYTES, expectedBytes),
  });
  let reading: Promise<Entries> | undefined;
  let lastKey: Buffer | undefined;
  try {
    let count = BLOCKS_AT_FIRST;
    for (;;) {
      const entries = await (reading ?? iterator.nextv(count));
      const last = entries.at(-1);
      if (!last) return;
      [lastKey] = last;
      const lastNumber = blockKeyNumber(lastKey);
      const goesOn = wanted.has(lastNumber);
      count = goesOn ? Math.min(count * 2, BLOCKS_PER_READ) : BLOCKS_AT_FIRST;
      reading = goesOn ? readAhead(iterator, count) : undefined;
      for (const [key, value] of entries) {
        const number = blockKeyNumber(key);
        if (wanted.has(number)) yield { number, block: new Block(key, value) };
      }
      if (goesOn) continue;
      const next = numbers.find((number) => number > lastNumber);
      if (next === undefined) return;
      iterator.seek(numberRange(space, next).start);
    }
  } finally {
    await reading?.catch(() => undefined);
    await closeIterator(iterator, lastKey);
  }
}

function readAhead(iterator: EntrySource, blocksLeft: number): Promise<Entries> {
  const reading = iterator.nextv(Math.min(BLOCKS_PER_READ, blocksLeft));
  // A failure is told to who comes for it; nobody does when the page ends before.
  reading.catch(() => undefined);
  return reading;
}

/**
 * The newest entry of a log up to `to`; undefined when there is none.
 * @throws ServiceError storageDamaged when its block is damaged.
 */
export async function readLastEntry(
  level: Level,
  { space, number, to }: { space: BlockSpace; number: number; to: Tick },
): Promise<{ tick: Tick; type: number; transaction: Tick } | undefined> {
  const { start, end } = numberRange(space, number);
  const at = blockKey(space, number, to);
  // The block that reaches to `to` or beyond it may begin above it; then it is the one before.
  const [next] = await level.iterator({ gte: at, lt: end, limit: 1 }).all();
  const [before] = await level.iterator({ gte: start, lt: at, reverse: true, limit: 1 }).all();
  for (const found of [next, before]) {
    if (!found) continue;
    const block = new Block(found[0], found[1]);
    const i = block.firstAbove(to) - 1;
    if (i < 0) continue;
    return { tick: block.tick(i), type: block.type(i), transaction: block.transaction(i) };
  }
  return undefined;
}

/**
 * As `readBlocks`, up to the tick of a commit, but in pieces, between which the store's state of one moment
 * is let go. For those who write while they read, or take long (docs/ARCHITECTURE.md): what is rewritten
 * meanwhile may be seen again in other blocks, but nothing is left out.
 */
export async function* readBlocksInPieces(
  level: Level,
  range: { space: BlockSpace; number: number; from: Tick; to: Tick },
): AsyncGenerator<Block, void, void> {
  const { space, number } = range;
  const { end: lt } = numberRange(space, number);
  for (let gt = blockKey(space, number, range.from); ;) {
    const iterator = level.iterator({ gt, lt, highWaterMarkBytes: READ_AHEAD_BYTES });
    let entries: Entries = [];
    try {
      entries = await iterator.nextv(BLOCKS_PER_READ);
    } finally {
      await closeIterator(iterator, entries.at(-1)?.[0]);
    }
    const last = entries.at(-1);
    if (!last) return;
    gt = last[0];
    for (const [key, value] of entries) {
      const block = new Block(key, value);
      // Not by its key: entries of before may have been put together with later ones.
      if (block.firstTick > range.to) return;
      yield block;
    }
  }
}
