import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PlainLines } from '../../../src/protocol/plain-lines.ts';
import { BlockWriter } from '../../../src/storage/block-writer.ts';
import { KeyCursor } from '../../../src/storage/key-cursor.ts';
import { Space } from '../../../src/storage/keys.ts';
import { LineTable } from '../../../src/storage/line-table.ts';
import { RunAppender } from '../../../src/storage/run-appender.ts';
import { BlockBuffers } from '../../../src/storage/block-buffers.ts';

const NUMBER = 7;

interface Line {
  readonly key: string;
  readonly isRemoval: boolean;
}

const lines: fc.Arbitrary<Line[]> = fc.array(
  fc.record({ key: fc.stringMatching(/^[a-c]{1,3}$/), isRemoval: fc.boolean() }),
  { minLength: 1, maxLength: 200 },
);

/** Appends lines as one run and notes each; their ticks begin with this one. */
function note(table: LineTable, writer: BlockWriter, all: readonly Line[], tick: bigint): void {
  const page = Buffer.from(
    all
      .map(({ key, isRemoval }, i) =>
        isRemoval
          ? `{"tick":"${5000 + i}","type":2302,"key":"${key}","rev":"1"}\n`
          : `{"tick":"${5000 + i}","type":2300,"key":"${key}","rev":"1","data":{"_key":"${key}","t":"${'x'.repeat(900)}"}}\n`,
      )
      .join(''),
  );
  const run = new PlainLines(page);
  expect(run.next(0, page.length)).toBe(true);
  expect(run.count).toBe(all.length);
  const appender = new RunAppender(run, { firstTick: tick });
  appender.begin(writer, NUMBER);
  table.reserve(run.count);
  const key = new KeyCursor(NUMBER, page);
  for (let i = 0; i < run.count; i++) {
    key.moveTo(run.keyStarts[i] ?? 0, run.keyEnds[i] ?? 0);
    appender.append(i);
    table.add(appender.block, appender.place, key.hash);
  }
  appender.end();
}

function keyOf(text: string, number = NUMBER): KeyCursor {
  const key = new KeyCursor(number, Buffer.from(`x${text}y`));
  key.moveTo(1, text.length + 1);
  return key;
}

describe('the table of the lines of a batch', () => {
  test('has of each key the newest line, also after lines are taken back, and nothing of other collections', () => {
    fc.assert(
      fc.property(lines, lines, (kept, dropped) => {
        const buffers = new BlockBuffers({ keepCount: 4 });
        const writer = new BlockWriter({ buffers }, { space: Space.journal, number: NUMBER });
        const table = new LineTable();
        const check = (all: readonly Line[], first: bigint): void => {
          expect(table.size).toBe(all.length);
          for (const { key } of [...kept, ...dropped, { key: 'zz' }]) {
            const last = all.findLastIndex((line) => line.key === key);
            const line = all[last];
            expect(table.isLive(keyOf(key))).toBe(line && !line.isRemoval);
            expect(table.isLive(keyOf(key, NUMBER + 1))).toBeUndefined();
            const pointer = table.pointer(keyOf(key));
            if (!line || line.isRemoval) expect(pointer).toBe(line ? null : undefined);
            else expect(pointer?.tick).toBe(first + BigInt(last));
          }
        };
        note(table, writer, kept, 1000n);
        check(kept, 1000n);
        const mark = writer.mark();
        note(table, writer, dropped, 1000n + BigInt(kept.length));
        check([...kept, ...dropped], 1000n);
        writer.rollback(mark);
        table.truncate(kept.length);
        check(kept, 1000n);
        table.clear();
        check([], 1000n);
      }),
      { numRuns: 50 },
    );
  });

  test('grows with the lines', () => {
    const buffers = new BlockBuffers({ keepCount: 4 });
    const writer = new BlockWriter({ buffers }, { space: Space.journal, number: NUMBER });
    const table = new LineTable();
    const keyAt = (n: number): string => `k${n}`;
    for (let n = 0; n < 10_000; n += 100) {
      const some = Array.from({ length: 100 }, (_, i) => ({ key: keyAt(n + i), isRemoval: true }));
      note(table, writer, some, 10_000n + BigInt(n));
    }
    for (let n = 0; n < 10_000; n++) expect(table.isLive(keyOf(keyAt(n)))).toBe(false);
    table.truncate(5000);
    for (let n = 0; n < 10_000; n++) {
      expect(table.isLive(keyOf(keyAt(n)))).toBe(n < 5000 ? false : undefined);
    }
  });
});
