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

  test('end where the collection, the transaction, the kind of upsert or the length of the tick changes', () => {
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
      return `{"tick":"${tick}",${documentTail({ ...tail, oldRev: '0', data: '{"_key":"k","_rev":"1"}' })}`;
    };
    const groups = [
      [line(10n), line(11n)],
      [line(12n, { cid: '8' })],
      [line(13n, { cid: '8', tid: '5' }), line(14n, { cid: '8', tid: '5' })],
      [line(15n, { type: 2301, cid: '8', tid: '5' })],
      [line(100n, { type: 2301, cid: '8', tid: '5' })],
    ];
    const runs = new PlainLines(Buffer.from(groups.flat().join('')));
    const found: object[] = [];
    for (let at = 0; runs.next(at, 10_000); at = runs.end) {
      const { count, tid, cid, cname, upsertType, firstTick, isJournal } = runs;
      found.push({ count, tid, cid, cname, upsertType, firstTick, isJournal });
    }
    const eighth = { cid: '8', cname: 'c8', isJournal: false };
    expect(found).toEqual([
      {
        ...{ count: 2, tid: '', cid: '7', cname: 'c7' },
        upsertType: 2300,
        firstTick: 10n,
        isJournal: false,
      },
      { ...eighth, ...{ count: 1, tid: '', upsertType: 2300, firstTick: 12n } },
      { ...eighth, ...{ count: 2, tid: '5', upsertType: 2300, firstTick: 13n } },
      { ...eighth, ...{ count: 1, tid: '5', upsertType: 2301, firstTick: 15n } },
      { ...eighth, ...{ count: 1, tid: '5', upsertType: 2301, firstTick: 100n } },
    ]);
  });
});
