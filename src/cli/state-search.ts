import { SPREAD_END, type SpreadRange, partsOf } from '../protocol/key-spread.ts';
import type { DocumentState, KeyStates } from './key-states.ts';
import { onBoth } from './on-both.ts';
import type { ReadAmount } from './verify-progress.ts';

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
  sides: { readonly a: KeyStates; readonly b: KeyStates },
  signal: AbortSignal,
  onRead: (amount: ReadAmount) => void = () => undefined,
): AsyncGenerator<readonly StateDifference[], void, void> {
  const documents = Math.max(sides.a.count, sides.b.count);
  const search = new Search(sides, documents, onRead);
  const sums = Math.min(SUMS_MAX, Math.max(SUMS_MIN, Math.ceil(documents / DOCUMENTS_PER_SUM)));
  // The last ones are looked at first, so that not many wait.
  const all = { start: 0, end: SPREAD_END, documents };
  const waiting = await search.differingParts([all], sums, signal);
  while (waiting.length > 0) {
    const small = takeWhile(waiting, isSmall, DOCUMENTS_PER_REQUEST);
    if (small.length > 0) {
      yield await search.differences(small, signal);
      continue;
    }
    const parts = Math.ceil((waiting.at(-1)?.documents ?? 0) / DOCUMENTS_PER_SUM);
    const count = Math.min(SUMS_PER_REQUEST, Math.max(2, parts));
    const largest = Math.floor(SUMS_PER_REQUEST / count);
    const large = waiting.splice(Math.max(0, waiting.length - largest));
    waiting.push(...(await search.differingParts(large.sort(byStart), count, signal)));
  }
}

/** The requests of a search. What differs is gone over again, so that more may be to be done than seemed at first. */
class Search {
  readonly #sides: { readonly a: KeyStates; readonly b: KeyStates };
  readonly #onRead: (amount: ReadAmount) => void;
  #done = 0;
  #expected: number;

  constructor(
    sides: { readonly a: KeyStates; readonly b: KeyStates },
    documents: number,
    onRead: (amount: ReadAmount) => void,
  ) {
    this.#sides = sides;
    this.#expected = documents;
    this.#onRead = onRead;
  }

  async differingParts(from: readonly Part[], parts: number, signal: AbortSignal): Promise<Part[]> {
    const [onA, onB] = await this.#pass(from, (side) => side.sums(from, parts, signal));
    const all = from.flatMap((range) => partsOf(range, parts));
    const found = all.flatMap((range, i) => {
      const { count: countA = 0, sum: sumA = 0 } = onA[i] ?? {};
      const { count: countB = 0, sum: sumB = 0 } = onB[i] ?? {};
      if (countA === countB && sumA === sumB) return [];
      return [{ ...range, documents: Math.max(countA, countB) }];
    });
    this.#expected += documentsIn(found);
    return found;
  }

  async differences(parts: readonly Part[], signal: AbortSignal): Promise<StateDifference[]> {
    const ranges = [...parts].sort(byStart);
    const [onA, onB] = await this.#pass(ranges, (side) => side.states(ranges, signal));
    const keys = new Set([...onA.keys(), ...onB.keys()]);
    return [...keys].flatMap((key) => {
      const difference = { key, a: onA.get(key), b: onB.get(key) };
      return difference.a?.digest === difference.b?.digest ? [] : [difference];
    });
  }

  async #pass<T>(
    parts: readonly Part[],
    run: (side: KeyStates) => Promise<T>,
  ): Promise<readonly [a: T, b: T]> {
    const documents = documentsIn(parts);
    const tell = (share: number): void => {
      const documentsDone = this.#done + Math.floor(documents * share);
      this.#onRead({ documentsDone, documentsExpected: this.#expected });
    };
    const look = (side: KeyStates, signal: AbortSignal): Promise<number | undefined> =>
      side.passed(signal);
    const both = await onBoth(this.#sides, { run, look, tell });
    tell(1);
    this.#done += documents;
    return both;
  }
}

function documentsIn(parts: readonly Part[]): number {
  return parts.reduce((sum, { documents }) => sum + documents, 0);
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
