import { isServiceError } from '../model/errors.ts';
import type { Tick } from '../model/tick.ts';
import { Block } from './block.ts';
import type { Findings } from './findings.ts';
import type { KeyRange } from './keys.ts';
import type { StoreReader } from './store-reader.ts';

const NEWLINE = 0x0a;

/** Goes through the blocks of a log as they are stored; what is wrong with one is noted, and it is passed over. */
export async function* walkBlocks(
  reader: StoreReader,
  range: KeyRange,
  { place, findings }: { place: string; findings: Findings },
): AsyncGenerator<Block, void, void> {
  let lastTick: Tick = 0n;
  for await (const { key, value } of reader.entries(range)) {
    let block: Block;
    try {
      block = new Block(key, value);
    } catch (error) {
      if (!isServiceError(error, 'storageDamaged')) throw error;
      findings.add(place, error.message);
      continue;
    }
    const flaw = flawOf(block, lastTick);
    if (flaw !== undefined) {
      findings.add(place, `block ${key.toString('hex')} ${flaw}`);
      continue;
    }
    ({ lastTick } = block);
    yield block;
  }
}

/** What is wrong with a block whose checksum holds. */
function flawOf(block: Block, lastTick: Tick): string | undefined {
  if (block.count === 0) return 'is empty';
  let tick = lastTick;
  let end = 0;
  for (let i = 0; i < block.count; i++) {
    const next = block.tick(i);
    if (next <= tick) return `has tick ${next} behind ${tick}`;
    if (block.lineEnd(i) <= end) return 'has lines that overlap';
    tick = next;
    end = block.lineEnd(i);
    if (block.lines[end - 1] !== NEWLINE) return `has a line without end at tick ${tick}`;
  }
  if (tick !== block.lastTick) return `ends with tick ${tick}`;
  return end === block.lines.length ? undefined : 'has bytes behind its last line';
}
