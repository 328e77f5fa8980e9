import { CollectionType } from '../model/collection.ts';
import { MarkerType } from '../model/marker.ts';
import { documentTail } from '../protocol/line.ts';
import { numberAt } from './json.ts';
import type { KeyStates } from './key-states.ts';
import { type StateDifference, findStateDifferences } from './state-search.ts';
import type { ReadAmount } from './verify-progress.ts';
import type { VerifySide } from './verify-side.ts';

/** What a repair of one collection has done. */
export interface MendFigures {
  /** Documents that were written or removed. */
  readonly mended: number;
  /** Documents that somebody else had changed meanwhile, or whose unique values are taken. */
  readonly skipped: number;
}

/** Documents that are fetched at a time. */
const KEYS_PER_REQUEST = 100;
/** Lines are sent when they are as long. */
const LINES_BYTES = 1024 * 1024;

/**
 * Makes the documents of a collection on B what they are on A, and touches no others. B may go on following
 * meanwhile: its documents are listed before those of A, so that what A lists is never older, and one that B
 * has changed since is left alone.
 * @param onRead told now and then how far the search for what differs is
 */
export async function mendCollection(
  { a, b }: { a: VerifySide; b: VerifySide },
  { name, type }: { name: string; type: number },
  signal: AbortSignal,
  onRead: (amount: ReadAmount) => void = () => undefined,
): Promise<MendFigures> {
  return b.withStates(name, signal, (onB) =>
    a.withStates(name, signal, async (onA) => {
      const sender = new LineSender(b, name, signal);
      for await (const found of findStateDifferences({ a: onA, b: onB }, signal, onRead)) {
        for (let i = 0; i < found.length; i += KEYS_PER_REQUEST) {
          const part = found.slice(i, i + KEYS_PER_REQUEST);
          for (const line of await linesOf(onA, part, type, signal)) await sender.add(line);
        }
      }
      return sender.finish();
    }),
  );
}

async function linesOf(
  onA: KeyStates,
  differences: readonly StateDifference[],
  collectionType: number,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = differences.filter(({ a }) => a !== undefined).map(({ key }) => key);
  const found = wanted.length === 0 ? [] : await onA.documents(wanted, signal);
  const texts = new Map(wanted.map((key, i) => [key, found[i]]));
  const isEdge = collectionType === CollectionType.edge;
  return differences.map(({ key, a, b }) => {
    const data = texts.get(key);
    const type =
      data === undefined ? MarkerType.remove : isEdge ? MarkerType.edge : MarkerType.document;
    const rev = a?.rev ?? b?.rev ?? '';
    return `{${documentTail({ type, key, rev, oldRev: b?.rev, ...(data === undefined ? {} : { data }) })}`;
  });
}

/** Sends lines in pieces. */
class LineSender {
  readonly #to: VerifySide;
  readonly #collection: string;
  readonly #signal: AbortSignal;
  #lines: string[] = [];
  #bytes = 0;
  #mended = 0;
  #skipped = 0;

  constructor(to: VerifySide, collection: string, signal: AbortSignal) {
    this.#to = to;
    this.#collection = collection;
    this.#signal = signal;
  }

  async add(line: string): Promise<void> {
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line);
    if (this.#bytes >= LINES_BYTES) await this.#send();
  }

  async finish(): Promise<MendFigures> {
    if (this.#lines.length > 0) await this.#send();
    return { mended: this.#mended, skipped: this.#skipped };
  }

  async #send(): Promise<void> {
    const body = this.#lines.join('');
    this.#lines = [];
    this.#bytes = 0;
    const answer = await this.#to.mend(this.#collection, body, this.#signal);
    this.#mended += numberAt(answer, 'mended') ?? 0;
    this.#skipped += numberAt(answer, 'skipped') ?? 0;
  }
}
