import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PageFollower, begin, commit, del, put } from './page-follower.ts';

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
