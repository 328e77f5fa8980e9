import { refusedAnswer } from '../follower/classify.ts';
import type { LeaderCollection } from '../follower/leader-answers.ts';
import type { CollectionParameters, IndexDefinition } from '../model/collection.ts';
import type { Tick } from '../model/tick.ts';
import { canonicalObject } from '../protocol/canonical-json.ts';
import { SPREAD_END, type SpreadRange } from '../protocol/key-spread.ts';
import { type KeyDifference, findKeyDifferences } from './key-differences.ts';
import { onBoth } from './on-both.ts';
import { type StateDifference, findStateDifferences } from './state-search.ts';
import { countLines } from './transfer.ts';
import type { ReadAmount } from './verify-progress.ts';
import type { DumpedPage, VerifySide } from './verify-side.ts';
import { exactCount, exactCounted } from './units.ts';

/** The two servers. */
export interface Sides {
  readonly a: VerifySide;
  readonly b: VerifySide;
  /** Whether checksums of both mean the same. */
  readonly checksums: boolean;
}

/** A collection as each of the servers has it; undefined where it is missing. */
export interface CollectionPair {
  readonly name: string;
  readonly a: LeaderCollection | undefined;
  readonly b: LeaderCollection | undefined;
}

/** What a comparison of one collection has found. */
export interface CollectionResult {
  readonly name: string;
  /** Documents on A, or on B if A has no such collection. */
  readonly count: number;
  /** The only server that has the collection; undefined when both have it. */
  readonly onlyOn?: 'A' | 'B';
  /** Undefined when the two have not one collection of one type: then its documents cannot be mended. */
  readonly type?: number;
  /** One sentence each; empty when the two are equal. */
  readonly differences: readonly string[];
  /**
   * What is different about which documents, a sentence each; `unknown` when it takes a search to
   * name them, which `differingKeys` makes. Empty when the documents are not what differs.
   */
  readonly keys: readonly string[] | 'unknown';
}

/** Keys of one server held in memory during the search. */
const KEYS_MAX = 200_000;
/** Keys that are named. */
const DIFFERENCES_MAX = 10;

const COLLECTION_NOT_FOUND = 1203;
/** What a server observes about an index, which is no part of the definition. */
const OBSERVED: ReadonlySet<string> = new Set(['selectivityEstimate', 'estimates']);
const DEFAULT_KEY_OPTIONS = { type: 'traditional', allowUserKeys: true };

/**
 * Compares a collection: parameters, indexes, the count, and then all that is in it, by checksum
 * where both servers compute the same one, else key by key.
 * @param onRead told now and then how much is read
 */
export async function compareCollection(
  sides: Sides,
  pair: CollectionPair,
  signal: AbortSignal,
  onRead: (amount: ReadAmount) => void = () => undefined,
): Promise<CollectionResult> {
  const { name } = pair;
  if (!pair.a || !pair.b) {
    const side = pair.a ? sides.a : sides.b;
    const count = (pair.a ?? pair.b)?.count ?? (await side.count(name, signal));
    const onlyOn = pair.a ? 'A' : 'B';
    const differences = [`the collection is only on ${onlyOn}`];
    return { name, count, onlyOn, differences, keys: [] };
  }
  const structure = structureDifferences(pair.a, pair.b);
  try {
    const found = await compareContents(sides, name, signal, onRead);
    const { type } = pair.a.parameters;
    const isOneType = type === pair.b.parameters.type;
    const differences = [...structure, ...found.differences];
    return { name, ...found, ...(isOneType ? { type } : {}), differences };
  } catch (error) {
    if (refusedAnswer(error)?.remote?.errorNum !== COLLECTION_NOT_FOUND) throw error;
    const differences = ['the collection was dropped while it was compared'];
    return { name, count: 0, differences, keys: [] };
  }
}

/**
 * Names up to ten documents that differ, a sentence each. Where both servers can say what parts of a
 * collection come to, few bytes are sent for it; else everything.
 */
export async function differingKeys(
  sides: Sides,
  collection: Pick<CollectionResult, 'name' | 'count'>,
  signal: AbortSignal,
  onRead: (amount: ReadAmount) => void = () => undefined,
): Promise<string[]> {
  const found =
    (sides.checksums ? await bySums(sides, collection.name, signal, onRead) : undefined) ??
    (await byDumps(sides, collection, signal, onRead));
  const named = found.map(({ key, kind, revisions }) => {
    const which = revisions ? `: ${revisions.a} on A, ${revisions.b} on B` : '';
    return `key ${key}: ${kind}${which}`;
  });
  return found.length < DIFFERENCES_MAX ? named : [...named, 'the search ended here'];
}

const REVISIONS_DIFFER = /^key .*: revisions differ: /s;

/** Whether each document that was looked at has other revisions on A and on B, as after a restore without those of the dump. */
export function allRevisionsDiffer(
  { count }: Pick<CollectionResult, 'count'>,
  keys: readonly string[],
): boolean {
  const differing = keys.filter((each) => REVISIONS_DIFFER.test(each)).length;
  return count > 0 && differing === Math.min(count, DIFFERENCES_MAX);
}

/** Undefined when one of the servers is of a version that has no such sums. */
async function bySums(
  { a, b }: Sides,
  name: string,
  signal: AbortSignal,
  onRead: (amount: ReadAmount) => void,
): Promise<KeyDifference[] | undefined> {
  const found: KeyDifference[] = [];
  try {
    await b.withStates(name, signal, (onB) =>
      a.withStates(name, signal, async (onA) => {
        for await (const differences of findStateDifferences({ a: onA, b: onB }, signal, onRead)) {
          found.push(...differences.map(describeStates));
          if (found.length >= DIFFERENCES_MAX) break;
        }
      }),
    );
  } catch (error) {
    const refused = refusedAnswer(error);
    const isUnknown = refused !== undefined && refused.status < 500;
    if (!isUnknown || refused.remote?.errorNum === COLLECTION_NOT_FOUND) throw error;
    return undefined;
  }
  return found.slice(0, DIFFERENCES_MAX);
}

function describeStates({ key, a, b }: StateDifference): KeyDifference {
  if (!a || !b) return { key, kind: a ? 'only on A' : 'only on B' };
  if (a.rev === b.rev) return { key, kind: 'contents differ' };
  return { key, kind: 'revisions differ', revisions: { a: a.rev, b: b.rev } };
}

async function byDumps(
  sides: Sides,
  { name, count }: Pick<CollectionResult, 'name' | 'count'>,
  signal: AbortSignal,
  onRead: (amount: ReadAmount) => void,
): Promise<KeyDifference[]> {
  const read = { a: 0, b: 0 };
  let bytesDone = 0;
  const readOf = async function* (
    side: 'a' | 'b',
    to: Tick,
    { start, end }: SpreadRange,
  ): AsyncGenerator<DumpedPage> {
    let lines = 0;
    for await (const page of sides[side].dump(name, to, signal)) {
      yield page;
      bytesDone += page.body.length;
      lines += countLines(page.body);
      // Each reading is about a part of the keys; old states are among the lines.
      const share = count === 0 ? 1 : Math.min(1, lines / count);
      read[side] = (start + (end - start) * share) / SPREAD_END;
      const documentsDone = Math.floor(count * Math.min(read.a, read.b));
      onRead({ documentsDone, documentsExpected: count, bytesDone });
    }
    read[side] = end / SPREAD_END;
  };
  return sides.a.withDumps(signal, (toA) =>
    sides.b.withDumps(signal, (toB) =>
      findKeyDifferences(
        (range) => readOf('a', toA, range),
        (range) => readOf('b', toB, range),
        { documents: count, keysMax: KEYS_MAX, differencesMax: DIFFERENCES_MAX },
      ),
    ),
  );
}

async function compareContents(
  sides: Sides,
  name: string,
  signal: AbortSignal,
  onRead: (amount: ReadAmount) => void,
): Promise<Omit<CollectionResult, 'name' | 'type'>> {
  const { a, b } = sides;
  const [count, countB] = await Promise.all([a.count(name, signal), b.count(name, signal)]);
  if (count !== countB) {
    const differences = [`${exactCounted(count, 'document')} on A, ${exactCount(countB)} on B`];
    return { count, differences, keys: 'unknown' };
  }
  if (!sides.checksums) {
    const keys = await differingKeys(sides, { name, count }, signal, onRead);
    return { count, differences: keys.length === 0 ? [] : ['documents differ'], keys };
  }
  const [sumA, sumB] = await bothChecksums(sides, { name, count }, signal, onRead);
  if (sumA === sumB) return { count, differences: [], keys: [] };
  return { count, differences: [`the checksum is ${sumA} on A, ${sumB} on B`], keys: 'unknown' };
}

function bothChecksums(
  sides: Sides,
  { name, count }: Pick<CollectionResult, 'name' | 'count'>,
  signal: AbortSignal,
  onRead: (amount: ReadAmount) => void,
): Promise<readonly string[]> {
  return onBoth(sides, {
    run: (side) => side.checksum(name, signal),
    look: (side, inner) => side.summed(name, inner),
    tell: (share) => onRead({ documentsDone: Math.floor(count * share), documentsExpected: count }),
  });
}

function structureDifferences(a: LeaderCollection, b: LeaderCollection): string[] {
  return [
    ...propertyDifferences(a.parameters, b.parameters),
    ...indexDifferences(a.indexes, b.indexes),
  ];
}

function propertyDifferences(a: CollectionParameters, b: CollectionParameters): string[] {
  const propertiesA = comparedProperties(a);
  const propertiesB = comparedProperties(b);
  return Object.entries(propertiesA).flatMap(([name, value]) => {
    const other = propertiesB[name];
    return value === other ? [] : [`${name} is ${value} on A, ${other ?? 'missing'} on B`];
  });
}

/** What must be the same; the rest are ids and notes of the server that has the collection. */
function comparedProperties(parameters: CollectionParameters): Readonly<Record<string, string>> {
  const { type, waitForSync, doCompact, maximalSize, isVolatile, keyOptions } = parameters;
  return {
    type: String(type),
    waitForSync: String(waitForSync),
    doCompact: String(doCompact),
    journalSize: String(maximalSize),
    isVolatile: String(isVolatile),
    keyOptions: canonical({ ...DEFAULT_KEY_OPTIONS, ...keyOptions }),
  };
}

function indexDifferences(a: readonly IndexDefinition[], b: readonly IndexDefinition[]): string[] {
  const textsA = new Set(a.map(canonical));
  const textsB = new Set(b.map(canonical));
  return [
    ...[...textsA].filter((text) => !textsB.has(text)).map((text) => `index only on A: ${text}`),
    ...[...textsB].filter((text) => !textsA.has(text)).map((text) => `index only on B: ${text}`),
  ];
}

function canonical(value: object): string {
  return canonicalObject(JSON.stringify(value), OBSERVED);
}
