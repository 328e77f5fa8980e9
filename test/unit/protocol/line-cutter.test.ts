import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isServiceError } from '../../../src/model/errors.ts';
import { MarkerType, isDocumentMarker } from '../../../src/model/marker.ts';
import { MAX_WIRE_TICK } from '../../../src/model/tick.ts';
import { buildData, parseDocument } from '../../../src/protocol/json-text.ts';
import { LineCutter } from '../../../src/protocol/line-cutter.ts';
import { parseLine } from '../../../src/protocol/line-parser.ts';
import {
  ddlTail,
  documentTail,
  loggerTail,
  tickHead,
  transactionTail,
} from '../../../src/protocol/line.ts';
import { objectSource } from './json-source.ts';

const digits = fc.bigInt({ min: 1n, max: MAX_WIRE_TICK }).map(String);
const plainKey = fc.stringMatching(/^[a-zA-Z0-9_:.@()+,=;$!*'%-]{1,30}$/);
const key = fc.oneof({ weight: 6, arbitrary: plainKey }, fc.string({ unit: 'binary' }));
const cname = fc.constantFrom('orders', 'links', '_graphs', 'größe', 'a"b', 'x\\', '😀', '');
const cid = fc.constantFrom('1', '8800001', '18446744073709551615');
const collection = fc.record({ cid, cname });

/** A tail as this server prints it, with the data in it, if any. */
interface Tail {
  readonly tail: string;
  readonly data: string | undefined;
}

const documentTails: fc.Arbitrary<Tail> = fc
  .record({
    type: fc.constantFrom(MarkerType.document, MarkerType.edge, MarkerType.remove),
    tid: fc.option(digits, { nil: undefined }),
    of: fc.option(collection, { nil: undefined }),
    key,
    rev: fc.oneof(digits, fc.constantFrom('_aBcDeFg---', 'ä', '\\')),
    oldRev: fc.option(digits, { nil: undefined }),
    source: objectSource,
  })
  .map(({ source, of, ...line }) => {
    const [from, to] = line.type === MarkerType.edge ? ['v/ä', 'v/"b'] : [];
    const { rest } = parseDocument(source);
    const data =
      line.type === MarkerType.remove ? undefined : buildData(line.key, line.rev, from, to, rest);
    return { tail: documentTail({ ...line, ...of, data }), data };
  });

const otherTails: fc.Arbitrary<Tail> = fc
  .oneof(
    collection.map((of) => ddlTail({ ...of, type: MarkerType.collectionDrop })),
    fc
      .tuple(collection, cname)
      .map(([of, newName]) => ddlTail({ ...of, type: MarkerType.collectionRename, newName })),
    fc
      .tuple(collection, digits)
      .map(([of, id]) => ddlTail({ ...of, type: MarkerType.indexDrop, id })),
    fc
      .tuple(digits, cid, cname)
      .map(([tid, of, name]) =>
        transactionTail(MarkerType.transactionStart, tid, [{ cid: of, name, operations: 3 }]),
      ),
    fc
      .bigInt({ min: 0n, max: MAX_WIRE_TICK })
      .map((tick) => loggerTail(MarkerType.loggerStart, tick)),
  )
  .map((tail) => ({ tail, data: undefined }));

const tails = fc.oneof({ weight: 4, arbitrary: documentTails }, otherTails);
const pages = fc.array(
  fc.tuple(
    fc.oneof(fc.bigInt({ min: 0n, max: 999n }), fc.bigInt({ min: 0n, max: MAX_WIRE_TICK })),
    tails,
  ),
  { maxLength: 12 },
);

function cutterOf(text: string): LineCutter {
  return new LineCutter(Buffer.from(text));
}

/** What a line says, according to the cutter and according to the parser. */
function bothViews(cutter: LineCutter, text: string): [unknown, unknown] {
  const line = parseLine(text);
  return [
    [cutter.tick, cutter.tickText, cutter.type, cutter.tid, cutter.cid, cutter.cname].concat([
      cutter.key,
      cutter.rev,
      cutter.oldRev,
    ]),
    [
      line.tick,
      String(line.tick),
      line.type,
      line.tid ?? '',
      line.cid ?? '',
      line.cname ?? '',
    ].concat([line.key ?? '', line.rev ?? '', line.oldRev ?? '']),
  ];
}

describe('pages of our own lines', () => {
  test('each line reads the same as by the parser, and its offsets are those of its parts', () => {
    fc.assert(
      fc.property(pages, (lines) => {
        const texts = lines.map(([tick, { tail }]) => tickHead(tick) + tail);
        const page = Buffer.from(texts.join(''));
        const cutter = new LineCutter(page);
        for (const [i, [tick, { tail, data }]] of lines.entries()) {
          expect(cutter.next()).toBe(true);
          const [cut, parsed] = bothViews(cutter, texts[i]!);
          expect(cut).toEqual(parsed);
          expect(cutter.parsed()).toEqual(parseLine(texts[i]!));
          expect(cutter.tickNumber).toBe(tick < 10n ** 15n ? Number(tick) : -1);
          const part = (start: number, end: number): string => page.toString('utf8', start, end);
          expect(part(cutter.lineStart, cutter.lineEnd)).toBe(texts[i]);
          if (!cutter.exact) continue;
          expect(part(cutter.typeStart, cutter.lineEnd)).toBe(tail);
          if (data === undefined) expect([cutter.dataStart, cutter.dataEnd]).toEqual([-1, -1]);
          else expect(part(cutter.dataStart, cutter.dataEnd)).toBe(data);
          if (!isDocumentMarker(cutter.type)) continue;
          expect(part(cutter.keyStart, cutter.revEnd)).toBe(
            `"key":"${cutter.key}","rev":"${cutter.rev}"`,
          );
        }
        expect(cutter.next()).toBe(false);
        expect(cutter.next()).toBe(false);
      }),
      { numRuns: 1500 },
    );
  });

  test('lines with plain keys and names are cut, never parsed', () => {
    fc.assert(
      fc.property(plainKey, digits, fc.boolean(), objectSource, (plain, rev, logged, source) => {
        const data = buildData(plain, rev, undefined, undefined, parseDocument(source).rest);
        const of = logged ? { cid: '7', cname: 'orders', tid: '9', oldRev: '5' } : {};
        const cutter = cutterOf(
          tickHead(1n) + documentTail({ ...of, type: 2300, key: plain, rev, data }),
        );
        expect(cutter.next()).toBe(true);
        expect(cutter.exact).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('the collection of one line is not taken for that of the next', () => {
    const line = (of: object): string =>
      tickHead(1n) + documentTail({ type: 2302, key: 'a', rev: '1', ...of });
    const cutter = cutterOf(
      line({ cid: '1', cname: 'a' }) +
        line({}) +
        line({ cid: '1', cname: 'ab' }) +
        line({ cid: '12', cname: 'ab' }) +
        line({ cid: '12', cname: 'ä' }) +
        line({ cid: '12', cname: 'ab' }) +
        tickHead(2n) +
        loggerTail(MarkerType.loggerStop, 0n),
    );
    const seen: string[] = [];
    while (cutter.next()) seen.push(`${cutter.cid}/${cutter.cname}`);
    expect(seen).toEqual(['1/a', '/', '1/ab', '12/ab', '12/ä', '12/ab', '/']);
  });

  test('an empty page has no lines', () => {
    expect(cutterOf('').next()).toBe(false);
  });
});

describe('lines of another shape', () => {
  test.each([
    '{"tick":"1","type":2300,"cid":"1","cname":"c","key":"a","rev":"2","data":{"_key":"a","_rev":"2"},"tid":"3"}',
    '{"tick": "1","type":2300,"key":"a","rev":"2","data":{"_key":"a","_rev":"2"}}',
    '{"tick":"1","type":2300,"tid":"0","cid":"1","cname":"c","key":"a","rev":"2","data":{"_key":"a"}}',
    '{"tick":"1","type":2300,"data":{"_id":"c/a","_key":"a","_rev":"2","x":1}}',
    '{"tick":"1","type":2302,"key":"a","rev":"2","x":1}',
    '{"tick":"1","type":2302,"key":"a","rev":"2" }',
    '{"tick":"1","type":2302,"key":"\\u0061","rev":"2"}',
    '{"tick":1,"type":2302,"key":"a","rev":"2"}',
    '{"type":2302,"tick":"1","key":"a","rev":"2"}',
    '{"tick":"1","type":2300,"key":"a","rev":"2","data":{"x":1,"_key":"a"}}',
  ])('%s is parsed', (text) => {
    const cutter = cutterOf(`${text}\n`);
    expect(cutter.next()).toBe(true);
    expect(cutter.exact).toBe(false);
    const [cut, parsed] = bothViews(cutter, text);
    expect(cut).toEqual(parsed);
    expect([cutter.typeStart, cutter.keyStart, cutter.revEnd, cutter.dataStart]).toEqual([
      -1, -1, -1, -1,
    ]);
    expect(cutter.dataEnd).toBe(-1);
    expect(cutter.next()).toBe(false);
  });

  test.each([
    ['{"tick":"1","type":9999,"key":"a"}\n', 'unexpectedMarker'],
    ['{"tick":"1","type":23000,"key":"a"}\n', 'unexpectedMarker'],
    ['{"type":2302,"key":"a","rev":"1"}\n', 'invalidResponse'],
    ['{"tick":"1","type":2302,"key":"a"}\n', 'invalidResponse'],
    ['{"tick":"1","type":2302,"rev":"a"}\n', 'invalidResponse'],
    ['{"tick":"","type":2302,"key":"a","rev":"1"}\n', 'invalidResponse'],
    ['{"tick":"1","type":2302,"key":"a","rev":"1"}', 'invalidResponse'],
    ['{"tick":"1","type":2302,"key":"a","rev":"1"\n', 'invalidJson'],
    ['\n', 'invalidJson'],
  ])('%j is refused', (page, kind) => {
    const cutter = cutterOf(page);
    expect(() => cutter.next()).toThrow(expect.objectContaining({ kind }));
  });

  test('a page with any byte changed is read to its end or refused, never worse', () => {
    const page = Buffer.from(
      tickHead(10n) +
        documentTail({
          type: 2302,
          tid: '3',
          cid: '1',
          cname: 'c',
          key: 'a',
          rev: '1',
          oldRev: '0',
        }) +
        tickHead(11n) +
        documentTail({ type: 2300, key: 'b', rev: '2', data: '{"_key":"b","_rev":"2","x":[1]}' }),
    );
    fc.assert(
      fc.property(fc.nat(page.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(page);
        changed[at] = byte;
        const cutter = new LineCutter(changed);
        try {
          let end = 0;
          while (cutter.next()) {
            expect(cutter.lineStart).toBe(end);
            end = cutter.lineEnd;
            expect(typeof cutter.tick).toBe('bigint');
            expect(typeof cutter.key).toBe('string');
          }
          expect(end).toBe(changed.length);
        } catch (error) {
          if (!isServiceError(error)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});
