import { createHash } from 'node:crypto';
import { MarkerType } from '../model/marker.ts';
import { canonicalObject } from '../protocol/canonical-json.ts';
import { buildData } from '../protocol/json-text.ts';
import { SPREAD_END, type SpreadRange, spreadHash } from '../protocol/key-spread.ts';
import type { DumpedPage } from './verify-side.ts';

/** What is different about a document of two collections. */
export interface KeyDifference {
  readonly key: string;
  readonly kind: 'only on A' | 'only on B' | 'revisions differ' | 'contents differ';
  /** Where they are what differs. */
  readonly revisions?: { readonly a: string; readonly b: string };
}

export interface KeySearchOptions {
  /** How many documents there are, roughly. */
  readonly documents: number;
  /** Most keys of one server to hold in memory; with more, the dumps are read several times. */
  readonly keysMax: number;
  /** The search ends when it has found as many. */
  readonly differencesMax: number;
}

/** Reads a dump from its beginning, up to the same tick each time, for the sake of the keys of a range. */
export type DumpSource = (range: SpreadRange) => AsyncIterable<DumpedPage>;

/** Revision and digest of the contents, by key. */
type KeyStates = ReadonlyMap<string, string>;

const LEFT_OUT: ReadonlySet<string> = new Set(['_key', '_rev', '_id']);
/** Hashes do not fall evenly, so a part is meant to fill the memory to this extent. */
const FILL = 0.8;

/**
 * Finds documents that two collections do not have in common. A dump is a history, in which later
 * lines replace earlier ones, so what is alive is known at its end only: the keys are shared out by
 * their hash into parts that fit in memory, and both dumps are read once for each part.
 */
export async function findKeyDifferences(
  a: DumpSource,
  b: DumpSource,
  options: KeySearchOptions,
): Promise<KeyDifference[]> {
  const { documents, keysMax, differencesMax } = options;
  const differences: KeyDifference[] = [];
  let parts = Math.max(1, Math.ceil(documents / (keysMax * FILL)));
  for (let start = 0; start < SPREAD_END && differences.length < differencesMax;) {
    const range = { start, end: Math.min(SPREAD_END, start + Math.ceil(SPREAD_END / parts)) };
    const [statesA, statesB] = await Promise.all([
      liveKeys(a, range, keysMax),
      liveKeys(b, range, keysMax),
    ]);
    if (statesA && statesB) {
      for (const difference of compareStates(statesA, statesB)) {
        differences.push(difference);
        if (differences.length >= differencesMax) break;
      }
      start = range.end;
    } else {
      // There were more keys than counted: those that were removed later are here for a while, too.
      parts *= 2;
    }
  }
  return differences;
}

/** Undefined when at some point there were more than `keysMax`. */
async function liveKeys(
  source: DumpSource,
  range: SpreadRange,
  keysMax: number,
): Promise<KeyStates | undefined> {
  const { start, end } = range;
  const states = new Map<string, string>();
  for await (const { body, lines } of source(range)) {
    while (lines.next()) {
      const { key, type } = lines;
      const hash = spreadHash(key);
      if (hash < start || hash >= end) continue;
      if (type === MarkerType.remove) states.delete(key);
      else states.set(ownCopy(key), stateOf({ body, lines }));
      if (states.size > keysMax) return undefined;
    }
  }
  return states;
}

function* compareStates(a: KeyStates, b: KeyStates): Generator<KeyDifference, void, undefined> {
  for (const [key, state] of a) {
    const other = b.get(key);
    if (other === undefined) yield { key, kind: 'only on A' };
    else if (other !== state) {
      const revisions = { a: revisionOf(state), b: revisionOf(other) };
      if (revisions.a === revisions.b) yield { key, kind: 'contents differ' };
      else yield { key, kind: 'revisions differ', revisions };
    }
  }
  for (const key of b.keys()) {
    if (!a.has(key)) yield { key, kind: 'only on B' };
  }
}

function stateOf({ body, lines }: DumpedPage): string {
  const digest = createHash('sha1').update(
    canonicalObject(documentText({ body, lines }), LEFT_OUT),
  );
  return ownCopy(`${digest.digest('base64')}${lines.rev}`);
}

/** Behind the digest, which always has 28 characters. */
function revisionOf(state: string): string {
  return state.slice(28);
}

function documentText({ body, lines }: DumpedPage): string {
  if (lines.exact) return body.toString('utf8', lines.dataStart, lines.dataEnd);
  const { key = '', rev = '', from, to, rest } = lines.parsed();
  return buildData(key, rev, from, to, rest);
}

/** A text that is part of a page keeps the whole page in memory; its copy does not. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}
