import { SPREAD_END, type SpreadRange, partsOf } from '../protocol/key-spread.ts';
import type { DocumentState, KeyStates } from './key-states.ts';

/** A document that is not the same on both sides, or only on one. */
export interface StateDifference {
  readonly key: string;
  readonly a: DocumentState | undefined;
  readonly b: DocumentState | undefined;
}

/** A part that differs. */
interface Part extends SpreadRange {
  /** Documents on the side that has more. */
  readonly documents: number;
}

/** So many documents have one sum in the first round: with one difference, as much is sent of sums as of documents. */
const DOCUMENTS_PER_SUM = 128;
const SUMS_MIN = 16;
/** Sums of the first round: a server reads everything once for each round, so it is better to have many. */
const SUMS_MAX = 4096;
/** Sums of one request of a later round. */
const SUMS_PER_REQUEST = 16_384;
/** Parts up to this size are looked at document by document. */
const DOCUMENTS_PER_PART = 512;
/** Documents that are listed with one request. */
const DOCUMENTS_PER_REQUEST = 20_000;

/**
 * Finds the documents in which two collections differ, keys, revisions and contents, with few bytes: sums over
 * parts of the keys first, of parts that differ again, and then the states of the documents of small parts.
 */
export async function* findStateDifferences(
  a: KeyStates,
  b: KeyStates,
  signal: AbortSignal,
): AsyncGenerator<readonly StateDifference[], void, void> {
  const documents = Math.max(a.count, b.count);
  const sums = Math.min(SUMS_MAX, Math.max(SUMS_MIN, Math.ceil(documents / DOCUMENTS_PER_SUM)));
  // The last ones are looked at first, so that not many wait.
  const waiting = await differingParts({ a, b }, [{ start: 0, end: SPREAD_END }], sums, signal);
  while (waiting.length > 0) {
    const small = takeWhile(waiting, isSmall, DOCUMENTS_PER_REQUEST);
    if (small.length > 0) {
      yield await differencesOf({ a, b }, small, signal);
      continue;
    }
    const parts = Math.ceil((waiting.at(-1)?.documents ?? 0) / DOCUMENTS_PER_SUM);
    const count = Math.min(SUMS_PER_REQUEST, Math.max(2, parts));
    const largest = Math.floor(SUMS_PER_REQUEST / count);
    const large = waiting.splice(Math.max(0, waiting.length - largest));
    waiting.push(...(await differingParts({ a, b }, large.sort(byStart), count, signal)));
  }
}

async function differingParts(
  { a, b }: { a: KeyStates; b: KeyStates },
  ranges: readonly SpreadRange[],
  parts: number,
  signal: AbortSignal,
): Promise<Part[]> {
  const [onA, onB] = await Promise.all([
    a.sums(ranges, parts, signal),
    b.sums(ranges, parts, signal),
  ]);
  const all = ranges.flatMap((range) => partsOf(range, parts));
  return all.flatMap((range, i) => {
    const { count: countA = 0, sum: sumA = 0 } = onA[i] ?? {};
    const { count: countB = 0, sum: sumB = 0 } = onB[i] ?? {};
    if (countA === countB && sumA === sumB) return [];
    return [{ ...range, documents: Math.max(countA, countB) }];
  });
}

async function differencesOf(
  { a, b }: { a: KeyStates; b: KeyStates },
  parts: readonly Part[],
  signal: AbortSignal,
): Promise<StateDifference[]> {
  const ranges = [...parts].sort(byStart);
  const [onA, onB] = await Promise.all([a.states(ranges, signal), b.states(ranges, signal)]);
  const keys = new Set([...onA.keys(), ...onB.keys()]);
  return [...keys].flatMap((key) => {
    const difference = { key, a: onA.get(key), b: onB.get(key) };
    return difference.a?.digest === difference.b?.digest ? [] : [difference];
  });
}

function isSmall({ start, end, documents }: Part): boolean {
  return documents <= DOCUMENTS_PER_PART || end - start === 1;
}

/** Takes parts from the end of a list as long as they fit. */
function takeWhile(parts: Part[], fits: (part: Part) => boolean, documentsMax: number): Part[] {
  const taken: Part[] = [];
  let documents = 0;
  for (let last = parts.at(-1); last && fits(last); last = parts.at(-1)) {
    documents += last.documents;
    if (taken.length > 0 && documents > documentsMax) break;
    taken.push(last);
    parts.pop();
  }
  return taken;
}

function byStart(a: SpreadRange, b: SpreadRange): number {
  return a.start - b.start;
}
