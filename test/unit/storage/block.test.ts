import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isServiceError } from '../../../src/model/errors.ts';
import { BLOCK_LINES_MAX_BYTES, Block } from '../../../src/storage/block.ts';
import { FrameSlab } from '../../../src/storage/block-frame.ts';
import { BlockWriter, type Entry } from '../../../src/storage/block-writer.ts';
import { PlainLines } from '../../../src/protocol/plain-lines.ts';
import { Space, blockKey, primaryKey } from '../../../src/storage/keys.ts';
import { BlockBuffers } from '../../../src/storage/block-buffers.ts';
import { OpenPointer, decodePointer, encodePointer } from '../../../src/storage/pointer.ts';
import type { RecordSink } from '../../../src/storage/open-block.ts';
import { Scratch } from '../../../src/storage/scratch.ts';

interface Sealed {
  readonly key: Buffer;
  readonly value: Buffer;
}

interface Line extends Entry {
  readonly tail: string;
}

function writer(): BlockWriter {
  const buffers = new BlockBuffers({ keepCount: 4 });
  return new BlockWriter({ buffers }, { space: Space.journal, number: 7 });
}

function seal(from: BlockWriter, timeMs = 1000): Sealed[] {
  return sealedBy((sink) => {
    from.seal(timeMs, sink);
  });
}

function sealedBy(put: (sink: RecordSink) => void): Sealed[] {
  const sealed: Sealed[] = [];
  put({
    put: (key, value) => {
      sealed.push({ key: Buffer.from(key), value: Buffer.from(value) });
    },
    del: (key) => {
      sealed.push({ key: Buffer.from(key), value: Buffer.alloc(0) });
    },
    keys: new Scratch(),
    values: new Scratch(),
  });
  return sealed;
}

function entry(tick: bigint, fields: Partial<Entry> = {}): Entry {
  return { tick, type: 2300, collection: 7, transaction: 0n, ...fields };
}

function textOf(line: { tick: bigint; tail: string }): string {
  return `{"tick":"${line.tick}",${line.tail}`;
}

const lines: fc.Arbitrary<Line[]> = fc
  .array(
    fc.record({
      step: fc.oneof(fc.bigInt(1n, 5n), fc.bigInt(1n, 2n ** 34n)),
      type: fc.constantFrom(2300, 2302, 2201),
      collection: fc.constantFrom(7, 7, 7, 4_000_000_000),
      transaction: fc.constantFrom(0n, 0n, 1n << 62n),
      text: fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.integer({ min: 1, max: 40_000 }).map((length) => 'x'.repeat(length)),
      ),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((parts) => {
    let tick = 1n << 40n;
    return parts.map(({ step, text, ...rest }) => {
      tick += step;
      return { ...rest, tick, tail: `"v":${JSON.stringify(text)}}\n` };
    });
  });

describe('a block', () => {
  test('gives back every entry as it was appended, in order, whatever its size', () => {
    fc.assert(
      fc.property(lines, (all) => {
        const target = writer();
        const pointers = all.map((line) => new OpenPointer(line.tick, 'a-rev'));
        const bytes = all.map((line, i) => target.append(line, line.tail, pointers[i]));
        expect(target.bytes).toBe(bytes.reduce((sum, each) => sum + each, 0));
        const read: Line[] = [];
        const sealed = seal(target);
        for (const { key, value } of sealed) {
          const block = new Block(key, value);
          expect(block.timeMs).toBe(1000);
          expect(block.count === 1 || block.lines.length <= BLOCK_LINES_MAX_BYTES).toBe(true);
          for (let i = 0; i < block.count; i++) {
            const tick = block.tick(i);
            expect(block.find(tick)).toBe(i);
            expect(block.firstAbove(tick)).toBe(i + 1);
            const tail = `${block.lineText(i)}\n`.slice(`{"tick":"${tick}",`.length);
            const type = block.type(i);
            const [collection, transaction] = [block.collection(i), block.transaction(i)];
            read.push({ tick, type, collection, transaction, tail });
            expect(`${block.lineText(i)}\n`).toBe(textOf({ tick, tail }));
          }
        }
        expect(read).toEqual(all.map(({ ...line }) => line));
        all.forEach((line, i) => {
          const { tick, distance } = pointers[i]!;
          const key = blockKey(Space.journal, 7, tick + BigInt(distance));
          const block = sealed.find((each) => each.key.equals(key))!;
          expect(new Block(block.key, block.value).find(line.tick)).toBeGreaterThanOrEqual(0);
        });
      }),
      { numRuns: 60 },
    );
  });

  test('every single flipped bit of a block and of its key is detected', () => {
    const target = writer();
    target.append(entry(1000n), '"type":2300,"key":"a"}\n');
    target.append(entry(1003n, { collection: 9, transaction: 5n }), '"type":2302,"key":"b"}\n');
    const [sealed] = seal(target);
    const { key, value } = sealed!;
    expect(new Block(key, value).count).toBe(2);
    for (const part of [value, key]) {
      for (let bit = 0; bit < part.length * 8; bit++) {
        const byte = bit >> 3;
        part[byte] = part[byte]! ^ (1 << (bit & 7));
        expect(() => new Block(key, value), `bit ${bit}`).toThrow(
          expect.objectContaining({ kind: 'storageDamaged' }) as Error,
        );
        part[byte] = part[byte] ^ (1 << (bit & 7));
      }
    }
    expect(new Block(key, value).count).toBe(2);
  });

  test('every cut-off block is detected', () => {
    const target = writer();
    target.append(entry(1n), '"key":"a"}\n');
    const { key, value } = seal(target)[0]!;
    for (let length = 0; length < value.length; length++) {
      expect(() => new Block(key, value.subarray(0, length))).toThrow(/checksum/);
    }
  });

  test('a block found under the key of another is damage', () => {
    const target = writer();
    target.append(entry(5n), '"key":"a"}\n');
    const { value } = seal(target)[0]!;
    for (const key of [
      blockKey(Space.journal, 8, 5n),
      blockKey(Space.changelog, 7, 5n),
      blockKey(Space.journal, 7, 6n),
    ]) {
      let caught: unknown;
      try {
        new Block(key, value);
      } catch (error) {
        caught = error;
      }
      expect(isServiceError(caught, 'storageDamaged')).toBe(true);
    }
  });

  test('a search finds the first entry above any tick, and only exact ticks', () => {
    const target = writer();
    for (const tick of [10n, 20n, 30n]) target.append(entry(tick), '"key":"a"}\n');
    const { key, value } = seal(target)[0]!;
    const block = new Block(key, value);
    expect([0n, 9n, 10n, 19n, 20n, 29n, 30n, 99n].map((tick) => block.firstAbove(tick))).toEqual([
      0, 0, 1, 1, 2, 2, 3, 3,
    ]);
    expect([0n, 9n, 10n, 15n, 30n, 31n].map((tick) => block.find(tick))).toEqual([
      -1, -1, 0, -1, 2, -1,
    ]);
  });
});

describe('a block writer', () => {
  test('a line of many megabytes stands alone in a block of its own', () => {
    const target = writer();
    target.append(entry(1n), '"key":"a"}\n');
    target.append(entry(2n), `"v":"${'x'.repeat(5_000_000)}"}\n`);
    target.append(entry(3n), '"key":"b"}\n');
    const blocks = seal(target).map(({ key, value }) => new Block(key, value));
    expect(blocks.map((block) => [block.count, block.lastTick])).toEqual([
      [1, 1n],
      [1, 2n],
      [1, 3n],
    ]);
    expect(blocks[1]!.lineText(0)).toHaveLength('{"tick":"2","v":""}'.length + 5_000_000);
  });

  test('thousands of tiny lines never make a block of more than 64 KiB', () => {
    const target = writer();
    for (let i = 1; i <= 20_000; i++) target.append(entry(BigInt(i)), '"k":1}\n');
    const blocks = seal(target).map(({ key, value }) => new Block(key, value));
    expect(blocks.reduce((sum, block) => sum + block.count, 0)).toBe(20_000);
    for (const block of blocks) expect(block.lines.length).toBeLessThanOrEqual(64 * 1024);
  });

  test('data that stands in a page is copied byte by byte', () => {
    const source = Buffer.from('....{"_key":"ä","n":1}....');
    const start = 4;
    const end = source.length - 4;
    const target = writer();
    const stored = target.appendData(entry(5n), '"key":"ä","data":', { source, start, end });
    expect(stored.source.toString('utf8', stored.start, stored.end)).toBe('{"_key":"ä","n":1}');
    const { bytes } = target;
    const [block] = seal(target).map(({ key, value }) => new Block(key, value));
    expect(block!.lines.toString()).toBe('{"tick":"5","key":"ä","data":{"_key":"ä","n":1}}\n');
    expect(block!.lines).toHaveLength(bytes);
  });

  test('taking back to a mark leaves exactly what was there, across any number of blocks', () => {
    fc.assert(
      fc.property(lines, lines, lines, (kept, dropped, more) => {
        const plain = writer();
        const rolled = writer();
        for (const line of kept) {
          plain.append(line, line.tail);
          rolled.append(line, line.tail);
        }
        const mark = rolled.mark();
        const base = kept.at(-1)!.tick;
        const shift = (line: Line, by: bigint): Line => ({ ...line, tick: line.tick + by });
        for (const line of dropped) rolled.append(shift(line, base), line.tail);
        rolled.rollback(mark);
        expect(rolled.bytes).toBe(plain.bytes);
        // Dropped ticks are gone for ever, so later ones are above them.
        const last = base + dropped.at(-1)!.tick;
        expect(rolled.find(last)).toBeUndefined();
        for (const line of more) {
          plain.append(shift(line, last), line.tail);
          rolled.append(shift(line, last), line.tail);
        }
        const bytesOf = (from: BlockWriter): string =>
          seal(from)
            .map(({ key, value }) => key.toString('hex') + value.toString('latin1'))
            .join();
        expect(bytesOf(rolled) === bytesOf(plain)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('taking back to the start leaves nothing to store', () => {
    const target = writer();
    const mark = target.mark();
    target.append(entry(1n), '"key":"a"}\n');
    target.rollback(mark);
    expect(seal(target)).toEqual([]);
    expect(target.bytes).toBe(0);
  });

  test('finds the lines of the commit being gathered, by tick', () => {
    const target = writer();
    for (let i = 1; i <= 2000; i++) target.append(entry(BigInt(2 * i)), `"key":"${i}"}\n`);
    expect(target.find(2n)).toBe('{"tick":"2","key":"1"}');
    expect(target.find(4000n)).toBe('{"tick":"4000","key":"2000"}');
    expect([1n, 3n, 3999n, 4001n].map((tick) => target.find(tick))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('P2: refuses an entry whose tick does not rise', () => {
    const target = writer();
    target.append(entry(5n), '"key":"a"}\n');
    expect(() => target.append(entry(5n), '"key":"b"}\n')).toThrow(/rise/);
    expect(() => target.append(entry(4n), '"key":"b"}\n')).toThrow(/rise/);
  });

  test('a log with very many blocks in one commit is stored whole, and its memory let go on the way', () => {
    const target = writer();
    const count = 256 + 2 * FrameSlab.FRAMES;
    const text = (i: number): string => `"n":${i},"text":"${String(i % 10).repeat(17_000)}"}\n`;
    for (let i = 1; i <= count; i++) target.append(entry(BigInt(i)), text(i));
    const mark = target.mark();
    for (let i = 0; i < 10; i++) target.append(entry(BigInt(count + 1 + i)), text(0));
    target.rollback(mark);
    let letGo = 0;
    let sealed = 0;
    const ticks: bigint[] = [];
    const sink: RecordSink = {
      put: (key, value) => {
        const block = new Block(key, value);
        sealed++;
        ticks.push(block.firstTick);
        const line = `{"tick":"${sealed}",${text(sealed)}`;
        if (block.lines.toString('latin1') !== line) throw new Error(`block ${sealed} differs`);
      },
      del: () => expect.unreachable(),
      keys: new Scratch(),
      values: new Scratch(),
    };
    target.sealAndRelease(1000, sink, () => letGo++);
    expect(ticks).toEqual(Array.from({ length: count }, (_, i) => BigInt(i + 1)));
    expect(letGo).toBe(2 * FrameSlab.FRAMES);
    expect(seal(target)).toEqual([]);
  });

  test('ticks further apart than a directory can hold go to different blocks', () => {
    const target = writer();
    target.append(entry(1n), '"key":"a"}\n');
    target.append(entry(1n + 0xffff_ffffn), '"key":"b"}\n');
    target.append(entry(2n + 0xffff_ffffn), '"key":"c"}\n');
    const blocks = seal(target).map(({ key, value }) => new Block(key, value));
    expect(blocks.map((block) => block.count)).toEqual([2, 1]);
    expect(blocks[0]!.tick(1)).toBe(1n + 0xffff_ffffn);
  });
});

describe('a pointer', () => {
  test('round trips any tick and revision', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, (1n << 63n) - 1n), fc.string(), (tick, rev) => {
        const pointer = { tick, distance: 77, rev };
        expect(decodePointer(encodePointer(pointer))).toEqual(pointer);
        const own = decodePointer(encodePointer(new OpenPointer(tick, tick.toString())));
        expect(own).toEqual({ tick, distance: 0, rev: tick.toString() });
      }),
    );
  });

  test('takes a run of lines as it would take each of them, but for the revisions in the pointers', () => {
    const line = (tick: bigint, i: number): string => textOf({ tick, tail: tailOf(i) });
    const tailOf = (i: number): string =>
      i % 7 === 3
        ? `"type":2302,"key":"k${i}","rev":"${1000 + i}"}\n`
        : `"type":2300,"key":"k${i}","rev":"${1000 + i}","data":{"_key":"k${i}","v":"${'x'.repeat(i * 40)}"}}\n`;
    const count = 120;
    const page = Buffer.from(
      Array.from({ length: count }, (_, i) => line(995n - 120n + BigInt(i), i)).join(''),
    );
    const run = new PlainLines(page);
    expect(run.next(0, page.length)).toBe(true);
    expect(run.count).toBe(count);
    const together = writer();
    together.append(entry(100n), `"type":2300,"before":1}\n`);
    together.appendRun(run, 500n, 7);
    expect(together.bytes).toBe(page.length + `{"tick":"100","type":2300,"before":1}\n`.length);
    expect(together.find(503n)).toBe(line(503n, 3).trimEnd());
    expect(together.find(620n)).toBeUndefined();

    const alone = writer();
    const pointers = new Map<number, OpenPointer>();
    alone.append(entry(100n), `"type":2300,"before":1}\n`);
    for (let i = 0; i < count; i++) {
      const pointer = new OpenPointer(500n + BigInt(i), String(1000 + i));
      pointers.set(i, pointer);
      alone.append(entry(pointer.tick, { type: i % 7 === 3 ? 2302 : 2300 }), tailOf(i), pointer);
    }
    const blocks = seal(alone);
    const records = seal(together);
    expect(records.filter(({ key }) => key[0] === Space.journal)).toEqual(blocks);
    expect(records.filter(({ key }) => key[0] === Space.primary)).toEqual(
      [...pointers].map(([i, pointer]) => ({
        key: primaryKey(7, `k${i}`),
        value: i % 7 === 3 ? Buffer.alloc(0) : encodePointer(pointer),
      })),
    );
  });
});
