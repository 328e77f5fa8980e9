import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findKeyDifferences, type KeySearchOptions } from '../../src/cli/key-differences.ts';
import type { DumpedPage } from '../../src/cli/verify-side.ts';
import { openPage } from '../../src/follower/page-lines.ts';

interface Change {
  readonly key: string;
  readonly rev: number;
  /** Undefined for a removal. */
  readonly value?: unknown;
}

function lineOf({ key, rev, value }: Change, tick: number): string {
  const head = `{"tick":"${tick}","type":${value === undefined ? 2302 : 2300}`;
  const rest = `,"key":"${key}","rev":"${rev}"`;
  const data = `,"data":{"_key":"${key}","_rev":"${rev}","value":${JSON.stringify(value)}}`;
  return `${head}${rest}${value === undefined ? '' : data}}\n`;
}

/** A dump in pages of three lines, and how often it was read. */
class Dump {
  readings = 0;
  readonly #lines: readonly string[];
  readonly #verified: boolean;

  constructor(lines: readonly string[], options: { verified: boolean } = { verified: true }) {
    this.#lines = lines;
    this.#verified = options.verified;
  }

  static of(changes: readonly Change[]): Dump {
    return new Dump(changes.map((change, i) => lineOf(change, i + 1)));
  }

  readonly pages = async function* (this: Dump): AsyncGenerator<DumpedPage, void, void> {
    this.readings++;
    for (let i = 0; i < this.#lines.length; i += 3) {
      const body = Buffer.from(this.#lines.slice(i, i + 3).join(''));
      yield await Promise.resolve({ body, lines: openPage(body, this.#verified) });
    }
  }.bind(this);
}

function search(a: Dump, b: Dump, options: Partial<KeySearchOptions> = {}) {
  return findKeyDifferences(a.pages, b.pages, {
    ...{ documents: 10, keysMax: 1000, differencesMax: 10 },
    ...options,
  });
}

const docs = (count: number): Change[] =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, rev: i + 1, value: i }));

describe('differing keys', () => {
  test('are named with what is different about them', async () => {
    const a = Dump.of([
      { key: 'same', rev: 1, value: 1 },
      { key: 'rev', rev: 2, value: 1 },
      { key: 'data', rev: 3, value: 1 },
      { key: 'a', rev: 4, value: 1 },
    ]);
    const b = Dump.of([
      { key: 'b', rev: 9, value: 1 },
      { key: 'data', rev: 3, value: 2 },
      { key: 'rev', rev: 8, value: 1 },
      { key: 'same', rev: 1, value: 1 },
    ]);
    const found = await search(a, b);
    expect(found.sort((x, y) => (x.key < y.key ? -1 : 1))).toEqual([
      { key: 'a', kind: 'only on A' },
      { key: 'b', kind: 'only on B' },
      { key: 'data', kind: 'contents differ' },
      { key: 'rev', kind: 'revisions differ', revisions: { a: '2', b: '8' } },
    ]);
  });

  test('the last line of a key counts, and a removal ends what was before it', async () => {
    const a = Dump.of([
      { key: 'x', rev: 1, value: 'old' },
      { key: 'y', rev: 2, value: 'old' },
      { key: 'z', rev: 3, value: 'old' },
      { key: 'y', rev: 4 },
      { key: 'x', rev: 5, value: 'new' },
      { key: 'z', rev: 6 },
      { key: 'z', rev: 7, value: 'again' },
    ]);
    const compacted = Dump.of([
      { key: 'x', rev: 5, value: 'new' },
      { key: 'z', rev: 7, value: 'again' },
      { key: 'never', rev: 9 },
    ]);
    expect(await search(a, compacted)).toEqual([]);
  });

  test('the spelling of a document is no difference, a large integer is', async () => {
    const line = (data: string): string =>
      `{"tick":"1","type":2300,"key":"k","rev":"1","data":${data}}\n`;
    const ours = line('{"_key":"k","_rev":"1","a":1,"b":"\u00e9","n":9007199254740993}');
    const theirs = line(
      '{"n": 9007199254740993, "b":"\\u00e9", "_id":"c/k", "_rev":"1","_key":"k","a":1.0}',
    );
    const foreign = { verified: false };
    expect(await search(new Dump([ours]), new Dump([theirs], foreign))).toEqual([]);
    const other = theirs.replace('740993', '740992');
    expect(await search(new Dump([ours]), new Dump([other], foreign))).toEqual([
      { key: 'k', kind: 'contents differ' },
    ]);
  });

  test('the ends of edges take part', async () => {
    const edge = (to: string): string =>
      `{"tick":"1","type":2301,"key":"k","rev":"1","data":{"_key":"k","_rev":"1","_from":"a/1","_to":"${to}"}}\n`;
    const found = await search(new Dump([edge('a/2')]), new Dump([edge('a/3')]));
    expect(found).toEqual([{ key: 'k', kind: 'contents differ' }]);
  });

  test('the search ends with the tenth', async () => {
    const a = Dump.of(docs(1000));
    const b = Dump.of([]);
    const found = await search(a, b, { documents: 1000, keysMax: 100 });
    expect(found).toHaveLength(10);
    expect(a.readings).toBe(1);
  });
});

describe('memory', () => {
  test('more keys than may be held are compared in several readings', async () => {
    const changed = docs(1000).map((doc) => (doc.key === 'k777' ? { ...doc, value: -1 } : doc));
    const [a, b] = [Dump.of(docs(1000)), Dump.of(changed)];
    const found = await search(a, b, { documents: 1000, keysMax: 100 });
    expect(found).toEqual([{ key: 'k777', kind: 'contents differ' }]);
    expect(a.readings).toBeGreaterThanOrEqual(10);
    expect(a.readings).toBeLessThan(40);
  });

  test('a count that was too low only makes more readings', async () => {
    const [a, b] = [Dump.of(docs(1000)), Dump.of(docs(999))];
    const found = await search(a, b, { documents: 1, keysMax: 100 });
    expect(found).toEqual([{ key: 'k999', kind: 'only on A' }]);
  });
});

test('whatever was written, exactly the keys that differ are found', async () => {
  const keys = 'a b c d e f g h i j k l m n o p'.split(' ');
  const change = fc.record(
    {
      key: fc.constantFrom(...keys),
      rev: fc.integer({ min: 1, max: 3 }),
      value: fc.integer({ min: 0, max: 2 }),
    },
    { requiredKeys: ['key', 'rev'] },
  );
  const history = fc.array(change, { maxLength: 60 });
  const live = (changes: readonly Change[]): Map<string, string> => {
    const found = new Map<string, string>();
    for (const { key, rev, value } of changes) {
      if (value === undefined) found.delete(key);
      else found.set(key, JSON.stringify([rev, value]));
    }
    return found;
  };
  await fc.assert(
    fc.asyncProperty(history, history, fc.integer({ min: 2, max: 20 }), async (a, b, keysMax) => {
      const options = { documents: 16, keysMax, differencesMax: 100 };
      const found = await search(Dump.of(a), Dump.of(b), options);
      const [liveA, liveB] = [live(a), live(b)];
      const expected = keys.filter((key) => liveA.get(key) !== liveB.get(key));
      expect(found.map(({ key }) => key).sort()).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});
