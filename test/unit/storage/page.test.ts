import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tick } from '../../../src/model/tick.ts';
import { Space } from '../../../src/storage/keys.ts';
import { type Page, type PageRange, readPage, readWholeLogs } from '../../../src/storage/page.ts';
import type { Store } from '../../../src/storage/store.ts';
import { RawStore } from '../../support/raw-store.ts';

const LOG = { space: Space.journal, number: 3 } as const;

interface Written {
  readonly tick: Tick;
  readonly type: number;
  readonly line: string;
}

/** Commits of so many lines each; the text of a line is as long as it is told. */
async function fill(
  store: Store,
  commits: readonly (readonly number[])[],
  number: number = LOG.number,
): Promise<Written[]> {
  const written: Written[] = [];
  for (const lengths of commits) {
    await store.commit((tx) => {
      for (const length of lengths) {
        const tick = tx.drawTick();
        const type = length % 3 === 0 ? 2302 : 2300;
        const tail = `"type":${type},"v":"${'x'.repeat(length)}"}\n`;
        tx.journal(number).append({ tick, type, collection: number, transaction: 0n }, tail);
        written.push({ tick, type, line: `{"tick":"${tick}",${tail}` });
      }
    });
  }
  return written;
}

function page(store: Store, range: Partial<PageRange>): Promise<Page> {
  const to = store.lastCommitted;
  return readPage(store.level, { ...LOG, from: 0n, to, limitBytes: 1 << 20, ...range });
}

async function allPages(store: Store, range: Partial<PageRange>): Promise<Page[]> {
  const pages: Page[] = [];
  let from = range.from ?? 0n;
  for (;;) {
    const next = await page(store, { ...range, from });
    pages.push(next);
    if (!next.more) return pages;
    expect(next.lastScanned).toBeGreaterThan(from);
    from = next.lastScanned;
  }
}

describe('a page', () => {
  test('pages of every size, put together, are the whole log byte by byte', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const written = await fill(store, [[1, 5, 400], [70_000], [3, 3, 3], [30_000, 10_000, 7]]);
    const whole = written.map(({ line }) => line).join('');
    for (const limitBytes of [0, 1, 100, 437, 5000, 40_000, 110_000, 1 << 22]) {
      const pages = await allPages(store, { limitBytes });
      expect(pages.map(({ body }) => body.toString()).join('')).toBe(whole);
      for (const [i, { body, count, lastIncluded }] of pages.entries()) {
        expect(count).toBe(body.toString().split('\n').length - 1);
        expect(body.crc32).toBe(crc32(body.toBuffer()));
        expect(body.toString()).toContain(`{"tick":"${lastIncluded}",`);
        // It ends with the line with which it grows larger than the limit, and not later.
        const last = body.toBuffer().lastIndexOf('\n', body.length - 2) + 1;
        expect(last).toBeLessThanOrEqual(limitBytes);
        if (i < pages.length - 1) expect(body.length).toBeGreaterThan(limitBytes);
      }
    }
  });

  test('any range of ticks gives exactly the entries in it', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const written = await fill(
      store,
      Array.from({ length: 40 }, (_, i) => Array.from({ length: (i % 7) + 1 }, (_, n) => i * n)),
    );
    const first = written[0]!.tick - 2n;
    const span = written.at(-1)!.tick - first + 3n;
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt(0n, span),
        fc.bigInt(0n, span),
        fc.integer({ min: 0, max: 9000 }),
        fc.option(fc.integer({ min: 1, max: 9000 }), { nil: undefined }),
        fc.boolean(),
        async (a, b, limitBytes, maxBytes, onlyRemovals) => {
          const [from, to] = [first + a, first + b];
          const wanted = written.filter(
            ({ tick, type }) => tick > from && tick <= to && (!onlyRemovals || type === 2302),
          );
          const pages = await allPages(store, {
            from,
            to,
            limitBytes,
            ...(maxBytes === undefined ? {} : { maxBytes }),
            ...(onlyRemovals ? { accept: (block, i) => block.type(i) === 2302 } : {}),
          });
          expect(pages.map(({ body }) => body.toString()).join('')).toBe(
            wanted.map(({ line }) => line).join(''),
          );
          if (maxBytes !== undefined) {
            for (const { body, count } of pages) {
              expect(count <= 1 || body.length <= maxBytes).toBe(true);
            }
          }
          const scanned = written.filter(({ tick }) => tick > from && tick <= to).at(-1)?.tick;
          expect(pages.at(-1)!.lastScanned).toBe(scanned ?? 0n);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('a page without a matching line says how far it has looked', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const written = await fill(store, [
      [1, 2],
      [4, 5],
    ]);
    const found = await page(store, { accept: () => false });
    expect(found).toMatchObject({ count: 0, lastIncluded: 0n, more: false });
    expect(found.lastScanned).toBe(written.at(-1)!.tick);
    expect(found.body).toHaveLength(0);
  });

  test('a range without an entry gives an empty page', async () => {
    await using raw = await RawStore.open();
    const found = await page(raw.store, {});
    expect(found).toMatchObject({ count: 0, lastIncluded: 0n, lastScanned: 0n, more: false });
  });

  test('a scan that finds nothing ends after a bounded number of blocks and can be gone on with', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    await store.commit((tx) => {
      for (let i = 0; i < 4200; i++) {
        const tick = tx.drawTick();
        const entry = { tick, type: 2300, collection: 3, transaction: 0n };
        tx.journal(LOG.number).append(entry, '"n":1}\n');
        // Ticks this far apart do not fit into one block.
        tx.observeTick(tick + (1n << 33n));
      }
    });
    const pages = await allPages(store, { accept: () => false });
    expect(pages).toHaveLength(2);
    expect(pages.map(({ more, count }) => [more, count])).toEqual([
      [true, 0],
      [false, 0],
    ]);
    expect(pages.at(-1)!.lastScanned).toBe(store.lastCommitted);
  });

  test('a damaged block fails the page that touches it, and no other', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const written = await fill(store, [[1], [2], [3]]);
    const [middle] = await store.level
      .iterator({ gte: Buffer.from([Space.journal]), lt: Buffer.from([Space.journal + 1]) })
      .all()
      .then((entries) => entries.slice(1));
    const [key, value] = middle!;
    value[value.length - 1] = value.at(-1)! ^ 1;
    await store.level.put(key, value);
    expect((await page(store, { to: written[0]!.tick })).count).toBe(1);
    expect((await page(store, { from: written[1]!.tick })).count).toBe(1);
    await expect(page(store, {})).rejects.toMatchObject({ kind: 'storageDamaged' });
  });
});

describe('several logs as a whole', () => {
  const commits = fc.array(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 6 }), {
    maxLength: 6,
  });

  test('are each what a page of it alone is, whatever stands between them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.boolean(), commits), { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        async (logs, goesOn) => {
          await using raw = await RawStore.open();
          const { store } = raw;
          for (const [number, [, written]] of logs.entries()) await fill(store, written, number);
          const to = store.lastCommitted;
          if (goesOn) await fill(store, [[1], [30_000]], 0);
          const numbers = [...logs.keys()].filter((number) => logs[number]?.[0]);
          const limitBytes = 1 << 24;
          const found = await readWholeLogs(store.level, { ...LOG, numbers, to, limitBytes });
          expect([...found.keys()]).toEqual(numbers);
          for (const number of numbers) {
            const alone = await page(store, { number, to, limitBytes });
            const whole = found.get(number);
            expect(whole?.body.toString()).toBe(alone.body.toString());
            expect(whole?.body.crc32).toBe(alone.body.crc32);
            expect(whole?.lastIncluded).toBe(alone.lastIncluded);
            expect(whole?.more).toBe(false);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('make no more than the limit together: what has no room is left out, and not a part of it is there', async () => {
    await using raw = await RawStore.open();
    const { store } = raw;
    const written = new Map<number, string>();
    for (const number of [4, 2, 9]) {
      const lines = await fill(store, [[3000], [3000, 10]], number);
      written.set(number, lines.map(({ line }) => line).join(''));
    }
    const { length } = written.get(2)!;
    const read = async (limitBytes: number): Promise<[number, string][]> => {
      const range = { space: LOG.space, numbers: [9, 4, 2], to: store.lastCommitted, limitBytes };
      const found = await readWholeLogs(store.level, range);
      return [...found].map(([number, { body }]) => [number, body.toString()]);
    };
    expect(await read(3 * length)).toEqual(
      [2, 4, 9].map((number) => [number, written.get(number)]),
    );
    expect((await read(3 * length - 1)).map(([number]) => number)).toEqual([2, 4]);
    expect((await read(length)).map(([number]) => number)).toEqual([2]);
    expect(await read(length - 1)).toEqual([]);
  });
});
