import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { Block } from '../../../src/storage/block.ts';
import { Space, numberRange } from '../../../src/storage/keys.ts';
import { PageFollower, begin, commit, created, ddl, del, put } from './page-follower.ts';

interface Change {
  readonly key: number;
  /** Undefined for a removal. */
  readonly value: number | undefined;
  /** Whether its line can be in a run; others are applied one by one. */
  readonly isPlain: boolean;
  /** Whether the line cannot be applied. */
  readonly isBad: boolean;
}

interface Group {
  readonly changes: readonly Change[];
  readonly isTransaction: boolean;
  /** Whether it begins a page. */
  readonly isFirst: boolean;
}

const TOO_LARGE = '9300000000000000000';

const groups: fc.Arbitrary<Group[]> = fc.array(
  fc.record({
    changes: fc.array(
      fc.record({
        key: fc.integer({ min: 0, max: 9 }),
        value: fc.option(fc.integer({ min: 0, max: 99 }), { nil: undefined, freq: 3 }),
        isPlain: fc.boolean(),
        isBad: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    isTransaction: fc.boolean(),
    isFirst: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

/** What the collection must have, with the number of journal entries and of those that are superseded. */
class Model {
  readonly documents = new Map<string, number>();
  entries = 0;
  dead = 0;
  /** Lines that were applied. */
  readonly lines = { documents: 0, removals: 0 };

  apply({ key, value }: Change): void {
    this.lines[value === undefined ? 'removals' : 'documents']++;
    const name = `k${key}`;
    const isOld = this.documents.has(name);
    if (value === undefined && !isOld) return;
    this.entries++;
    if (isOld) this.dead += value === undefined ? 2 : 1;
    if (value === undefined) this.documents.delete(name);
    else this.documents.set(name, value);
  }
}

function lineOf(tick: number, change: Change, tid: string | undefined): string {
  const { key, value, isPlain, isBad } = change;
  const rev = isBad ? TOO_LARGE : isPlain ? String(tick) : `a"${tick}`;
  const options = { ...(tid === undefined ? {} : { tid }) };
  if (value !== undefined) return put(tick, `k${key}`, value, { ...options, rev });
  return del(tick, `k${key}`, options);
}

test('lines in runs and lines one by one, of transactions that fail and those that do not, make what each alone would', async () => {
  await fc.assert(
    fc.asyncProperty(groups, async (all) => {
      await using follower = await PageFollower.open({ ignoreErrors: 1000 });
      const model = new Model();
      let tick = 1000;
      let page: string[] = [];
      const apply = async (): Promise<void> => {
        await follower.apply(page, { verified: true, scannedTo: BigInt(tick) });
        page = [];
      };
      for (const { changes, isTransaction, isFirst } of all) {
        if (isFirst) await apply();
        const isBad = ({ isBad, value }: Change): boolean => isBad && value !== undefined;
        const tid = isTransaction ? String(++tick) : undefined;
        if (tid !== undefined) page.push(begin(tick, tid));
        for (const change of changes) page.push(lineOf(++tick, change, tid));
        if (tid !== undefined) page.push(commit(++tick, tid));
        const counts = isTransaction && changes.some(isBad) ? [] : changes.filter((c) => !isBad(c));
        for (const change of counts) model.apply(change);
      }
      await apply();
      expect(await follower.content()).toEqual(Object.fromEntries(model.documents));
      expect(follower.applier.figures).toMatchObject(model.lines);
      const { count, entries, dead } = follower.c.stats;
      expect({ count, entries, dead }).toEqual({
        count: model.documents.size,
        entries: model.entries,
        dead: model.dead,
      });
    }),
    { numRuns: 60 },
  );
});

const NEWLINE = 0x0a;

/** Of the leader: `c`, `e` with edges, others, one with an index, one that is not here, and one that has the name of `c`. */
const COLLECTIONS = [
  { cid: '77', cname: 'c' },
  { cid: '78', cname: 'e' },
  { cid: '81', cname: 'c81' },
  { cid: '82', cname: 'c82' },
  { cid: '83', cname: 'c83' },
  { cid: '84', cname: 'indexed' },
  { cid: '85', cname: 'missing' },
  { cid: '86', cname: 'c' },
] as const;

interface SpreadChange {
  readonly collection: (typeof COLLECTIONS)[number];
  readonly key: number;
  /** Undefined for a removal. */
  readonly value: number | undefined;
  readonly isPlain: boolean;
  /** How many characters stand behind the value. */
  readonly more: number;
}

const spreadGroups = fc.array(
  fc.record({
    changes: fc.array(
      fc.record({
        collection: fc.constantFrom(...COLLECTIONS),
        key: fc.integer({ min: 0, max: 5 }),
        value: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined, freq: 3 }),
        isPlain: fc.integer({ min: 0, max: 7 }).map((n) => n > 0),
        more: fc.constantFrom(0, 0, 0, 1, 2, 3, 100, 101, 102, 103, 3000, 150_000),
      }),
      { minLength: 1, maxLength: 40 },
    ),
    kind: fc.constantFrom('transaction', 'single', 'single', 'page', 'index'),
  }),
  { minLength: 1, maxLength: 8 },
);

function spreadLine(tick: number, change: SpreadChange, tid: string | undefined): string {
  const { collection, value, isPlain, more } = change;
  const key = `k${change.key}`;
  const options = { ...collection, ...(tid === undefined ? {} : { tid }) };
  if (value === undefined) return del(tick, key, options);
  const rev = isPlain ? String(tick) : `a"${tick}`;
  const v = more > 0 ? `${value}${'0123456'.repeat(more).slice(0, more)}` : value;
  const line = put(tick, key, v, { ...options, rev });
  if (collection.cname !== 'e') return line;
  const ends = `"_rev":${JSON.stringify(rev)},"_from":"c/1","_to":"c/2","v"`;
  return line.replace('"type":2300', '"type":2301').replace(/"_rev":"[^,]*","v"/, ends);
}

/** What is in the journals, in the order of ticks, and the figures. */
async function stateOf(follower: PageFollower): Promise<object> {
  const { store, system } = follower.core;
  const entries: { tick: bigint; name: string; line: object }[] = [];
  const stats: object[] = [];
  const content: object[] = [];
  const read = async ({ name, number, stats: figures }: Collection): Promise<void> => {
    const { count, entries: written, dead } = figures;
    stats.push({ name, count, entries: written, dead });
    content.push(await follower.content(name));
    const { start, end } = numberRange(Space.journal, number);
    let last = 0n;
    for await (const [key, value] of store.level.iterator({ gte: start, lt: end })) {
      const block = new Block(key, value);
      for (let i = 0; i < block.count; i++) {
        const { tick, ...line } = JSON.parse(block.lineText(i)) as { tick: string };
        expect(BigInt(tick)).toBe(block.tick(i));
        expect(block.tick(i)).toBeGreaterThan(last);
        expect(block.lines[block.lineEnd(i) - 1]).toBe(NEWLINE);
        last = block.tick(i);
        entries.push({ tick: last, name, line });
      }
    }
  };
  for (const collection of system.collections) await read(collection);
  entries.sort((a, b) => (a.tick < b.tick ? -1 : 1));
  const lines = entries.map(({ name, line }) => ({ name, line }));
  const { figures, checkpoint, ignored } = follower.applier;
  const { processedTick, appliedTick } = checkpoint;
  const passedOver = ignored.count;
  return { lines, stats, content, figures, processedTick, appliedTick, passedOver };
}

async function spreadFollower(): Promise<PageFollower> {
  const follower = await PageFollower.open({ ignoreErrors: 1000 });
  const others = COLLECTIONS.slice(2, 6);
  await follower.apply(
    others.map(({ cid, cname }, i) => created(1001 + i, cid, cname)),
    { scannedTo: 1010n },
  );
  await follower.apply([index(1011, '84')], { scannedTo: 1011n });
  return follower;
}

/** A 2100. */
function index(tick: number, cid: string): string {
  return ddl(tick, 2100, { index: { id: `9${tick}`, type: 'hash', fields: ['v'] } }, cid);
}

test('lines of several collections in runs leave the same, in the same order, as lines that are parsed one by one', async () => {
  await fc.assert(
    fc.asyncProperty(spreadGroups, async (all) => {
      await using cut = await spreadFollower();
      await using parsed = await spreadFollower();
      let tick = 2000;
      let page: string[] = [];
      const apply = async (): Promise<void> => {
        const options = { scannedTo: BigInt(tick) };
        await cut.apply(page, { ...options, verified: true });
        await parsed.apply(page, options);
        page = [];
      };
      for (const { changes, kind } of all) {
        if (kind === 'page') await apply();
        if (kind === 'index') page.push(index(++tick, changes[0]?.collection.cid ?? '77'));
        const tid = kind === 'transaction' ? String(++tick) : undefined;
        if (tid !== undefined) page.push(begin(tick, tid));
        for (const change of changes) page.push(spreadLine(++tick, change, tid));
        if (tid !== undefined) page.push(commit(++tick, tid));
      }
      await apply();
      expect(await stateOf(cut)).toEqual(await stateOf(parsed));
    }),
    { numRuns: 40 },
  );
}, 60_000);
