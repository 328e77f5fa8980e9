import { ServiceError } from '../model/errors.ts';
import { Block } from './block.ts';
import type { Level } from './commit-group.ts';
import { Space, blockKey, numberRange } from './keys.ts';
import type { Pointer } from './pointer.ts';

type Blocks = Pick<Level, 'getSync'>;

/**
 * Reads the line a stored pointer refers to.
 * @throws ServiceError storageDamaged when the block is gone, damaged, or lacks the entry.
 */
export function readStoredLine(blocks: Blocks, number: number, pointer: Pointer): string {
  return lineIn(blockOf(blocks, number, pointer), number, pointer);
}

/**
 * As `readStoredLine`, also where the entry has been moved to another block since the pointer was read: for
 * pointers that nobody keeps up to date. The entry must still be in the journal.
 */
export async function findStoredLine(
  level: Level,
  number: number,
  pointer: Pointer,
): Promise<string> {
  const block = blockOf(level, number, pointer);
  if (block && block.find(pointer.tick) >= 0) return lineIn(block, number, pointer);
  return lineIn(await seekBlock(level, number, pointer), number, pointer);
}

/** The block that the pointer leads to. */
function blockOf(blocks: Blocks, number: number, pointer: Pointer): Block | undefined {
  const key = keyOf(number, pointer);
  const value = blocks.getSync(key);
  return value && new Block(key, value);
}

/** The only block that may hold the tick: the first that does not end before it. */
async function seekBlock(
  level: Level,
  number: number,
  { tick }: Pointer,
): Promise<Block | undefined> {
  const { end } = numberRange(Space.journal, number);
  const gte = blockKey(Space.journal, number, tick);
  const [found] = await level.iterator({ gte, lt: end, limit: 1 }).all();
  return found && new Block(found[0], found[1]);
}

function lineIn(block: Block | undefined, number: number, pointer: Pointer): string {
  const i = block ? block.find(pointer.tick) : -1;
  if (!block || i < 0) {
    throw new ServiceError(
      'storageDamaged',
      `the entry with tick ${pointer.tick} is not in its block ${keyOf(number, pointer).toString('hex')}`,
    );
  }
  const line = block.lineText(i);
  // A pointer has no checksum of its own: what it leads to must be what it says.
  if (!line.includes(`,"rev":${JSON.stringify(pointer.rev)}`)) {
    throw new ServiceError(
      'storageDamaged',
      `the entry with tick ${pointer.tick} does not have revision ${pointer.rev}`,
    );
  }
  return line;
}

function keyOf(number: number, { tick, distance }: Pointer): Buffer {
  return blockKey(Space.journal, number, tick + BigInt(distance));
}
