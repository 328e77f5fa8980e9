import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MarkerType } from '../../../src/model/marker.ts';
import { PlainLines } from '../../../src/protocol/plain-lines.ts';
import { documentTail } from '../../../src/protocol/line.ts';
import { LineCutter } from '../../../src/protocol/line-cutter.ts';

interface Line {
  readonly tick: bigint;
  readonly key: string;
  readonly rev: string;
  /** Undefined for a removal. */
  readonly text: string | undefined;
}

const { document, edge, remove } = MarkerType;

function print({ tick, key, rev, text }: Line, type: typeof document | typeof edge): string {
  const data =
    text === undefined
      ? undefined
      : `{"_key":"${key}","_rev":${JSON.stringify(rev)},"v":${JSON.stringify(text)}}`;
  const tail = documentTail({ type: text === undefined ? remove : type, key, rev, data });
  return `{"tick":"${tick}",${tail}`;
}

const lines = fc.array(
  fc.record({
    tick: fc.oneof(fc.bigInt(100_000n, 999_999n), fc.bigInt(1n, 1n << 60n), fc.constant(123_456n)),
    key: fc.stringMatching(/^[a-zA-Z0-9_:.@()+,=;$!*'%-]{1,20}$/),
    rev: fc.oneof(
      fc.bigInt(1n, 1n << 62n).map(String),
      fc.constantFrom('_aBc---', '0', '007', 'a"b', 'ü', 'x\\y', ''),
    ),
    text: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined, freq: 8 }),
  }),
  { minLength: 1, maxLength: 60 },
);

describe('runs of plain lines', () => {
  test('say of every line what cutting it says, and leave out only what is not plain', () => {
    fc.assert(
      fc.property(
        lines,
        fc.constantFrom(document, edge),
        fc.integer({ min: 1, max: 9000 }),
        (all, type, bytes) => {
          const page = Buffer.from(all.map((line) => print(line, type)).join(''));
          const runs = new PlainLines(page);
          const cutter = new LineCutter(page);
          let largest = 0n;
          for (const line of all) {
            expect(cutter.next()).toBe(true);
            const start = cutter.lineStart;
            // Every line is tried as the first of a run, so that each is looked at with others before and behind it.
            const found = runs.next(start, bytes);
            const plainRev = /^[ -~]*$/.test(line.rev) && !/["\\]|^[1-9][0-9]{15,}$/.test(line.rev);
            expect(found).toBe(plainRev && line.tick < 10n ** 15n);
            if (!found) continue;
            expect(runs.start).toBe(start);
            expect(runs.ends[0]).toBe(cutter.lineEnd);
            expect(runs.types[0]).toBe(cutter.type);
            expect(runs.key(0)).toBe(line.key);
            expect(page.toString('utf8', runs.revStarts[0], runs.revEnds[0])).toBe(line.rev);
            expect(
              page.toString('utf8', start + runs.tickAt, start + runs.tickAt + runs.tickDigits),
            ).toBe(line.tick.toString());
            const place = all.indexOf(line);
            const run = all.slice(place, place + runs.count);
            for (const { rev } of run) {
              if (/^[1-9][0-9]{0,19}$/.test(rev) && BigInt(rev) > largest) largest = BigInt(rev);
            }
            expect(runs.lastTick).toBe(run.at(-1)?.tick);
            expect(run.map((each) => each.key)).toEqual(run.map((_, i) => runs.key(i)));
            expect(runs.ascending).toBe(
              run.every(
                ({ key, text }, i) =>
                  text !== undefined && (i === 0 || key > (run[i - 1]?.key ?? '')),
              ),
            );
          }
          expect(runs.largestRevision).toBe(largest);
        },
      ),
    );
  });

  test('a line that is cut off is not plain', () => {
    const line = print({ tick: 5n, key: 'k', rev: '5', text: 'x' }, document);
    const plain = (text: string): boolean => new PlainLines(Buffer.from(text)).next(0, 1000);
    expect(plain(line)).toBe(true);
    for (let end = 0; end < line.length; end++) expect(plain(line.slice(0, end))).toBe(false);
  });

  const line = (
    tick: bigint,
    fields: { type?: number; tid?: string; cid?: string } = {},
  ): string => {
    const { type = 2300, tid, cid = '7' } = fields;
    const tail = {
      type: type as typeof document,
      tid,
      cid,
      cname: `c${cid}`,
      key: 'k',
      rev: '1',
    };
    const data = type === remove ? undefined : '{"_key":"k","_rev":"1"}';
    return `{"tick":"${tick}",${documentTail({ ...tail, oldRev: '0', data })}`;
  };

  test('end where the transaction, the kind of upsert in a collection or the length of the tick changes', () => {
    const groups = [
      [line(10n), line(11n), line(12n, { cid: '8' })],
      [line(13n, { cid: '8', tid: '5' }), line(14n, { cid: '8', tid: '5' })],
      [line(15n, { type: 2301, cid: '8', tid: '5' })],
      [line(100n, { type: 2301, cid: '8', tid: '5' }), line(101n, { cid: '7', tid: '5' })],
    ];
    const runs = new PlainLines(Buffer.from(groups.flat().join('')));
    const found: object[] = [];
    for (let at = 0; runs.next(at, 10_000); at = runs.end) {
      const { count, tid, firstTick, isJournal } = runs;
      const parts = runs.parts.map((part) => [part.cid, part.cname, part.upsertType, part.count]);
      found.push({ count, tid, firstTick, isJournal, parts });
    }
    const isJournal = false;
    expect(found).toEqual([
      {
        ...{ count: 3, tid: '', firstTick: 10n, isJournal },
        parts: [
          ['7', 'c7', 2300, 2],
          ['8', 'c8', 2300, 1],
        ],
      },
      { count: 2, tid: '5', firstTick: 13n, isJournal, parts: [['8', 'c8', 2300, 2]] },
      { count: 1, tid: '5', firstTick: 15n, isJournal, parts: [['8', 'c8', 2301, 1]] },
      {
        ...{ count: 2, tid: '5', firstTick: 100n, isJournal },
        parts: [
          ['8', 'c8', 2301, 1],
          ['7', 'c7', 2300, 1],
        ],
      },
    ]);
  });

  test('have the lines of each collection together, in their order, and none of those refused', () => {
    const collection = fc.integer({ min: 0, max: 5 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ collection, isRemoval: fc.boolean() }), { minLength: 1 }),
        fc.array(collection, { maxLength: 2 }),
        (all, refused) => {
          const printed = all.map((each, i) => {
            const type = each.isRemoval ? remove : each.collection === 5 ? edge : document;
            return line(BigInt(1000 + i), { type, cid: String(70 + each.collection) });
          });
          const runs = new PlainLines(Buffer.from(printed.join('')));
          expect(runs.next(0, 1_000_000)).toBe(true);
          expect(runs.count).toBe(all.length);
          const linesOf = (count: number): Map<string, number[]> => {
            const lines = new Map<string, number[]>();
            for (const [i, { collection: n }] of all.slice(0, count).entries()) {
              lines.set(`${70 + n}`, [...(lines.get(`${70 + n}`) ?? []), i]);
            }
            return lines;
          };
          const check = (): void => {
            const expected = linesOf(runs.count);
            expect(runs.parts.map(({ cid }) => cid)).toEqual([...expected.keys()]);
            for (const { cid, start, end, count, removals } of runs.parts) {
              const lines = [...runs.byParts.subarray(start, end)];
              expect(lines).toEqual(expected.get(cid));
              expect(count).toBe(lines.length);
              expect(removals).toBe(lines.filter((i) => all[i]?.isRemoval).length);
            }
          };
          check();
          for (const part of runs.parts) part.isRefused = refused.includes(Number(part.cid) - 70);
          const upTo = all.findIndex((each) => refused.includes(each.collection));
          expect(runs.next(0, 1_000_000)).toBe(upTo !== 0);
          expect(runs.count).toBe(upTo < 0 ? all.length : upTo);
          check();
          runs.admitAll();
          expect(runs.next(0, 1_000_000)).toBe(true);
          expect(runs.count).toBe(all.length);
        },
      ),
    );
  });

  test('has every line of a page in some run, in order, also where lines are shorter than most', () => {
    const printed = Array.from({ length: 5000 }, (_, i) =>
      line(BigInt(100_000 + i), { type: remove, cid: String(1 + (i % 40)) }),
    );
    const page = Buffer.from(printed.join(''));
    const runs = new PlainLines(page);
    let lines = 0;
    let counted = 0;
    while (runs.next(runs.end, page.length)) {
      expect(runs.firstTick).toBe(BigInt(100_000 + lines));
      lines += runs.count;
      for (const { count } of runs.parts) counted += count;
    }
    expect(runs.end).toBe(page.length);
    expect([lines, counted]).toEqual([printed.length, printed.length]);
  });
});
