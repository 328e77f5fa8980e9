import type { Clock } from '../base/clock.ts';
import { secondsLeft, toTenth } from '../base/pace.ts';
import { Speed } from '../base/speed.ts';
import type { VerifyNumbers, VerifyPhase } from '../model/verify-numbers.ts';

/** How much of a collection is read. */
export interface ReadNumbers {
  readonly documentsDone: number;
  readonly documentsExpected: number;
}

interface Planned {
  readonly name: string;
  readonly documents: number;
}

/** Measures one comparison. */
export class VerifyGauge {
  readonly #clock: Clock;
  readonly #speed = new Speed();
  #phase: VerifyPhase = 'preparing';
  #waiting: readonly Planned[] = [];
  #expected = { collections: 0, documents: 0 };
  /** Of the one in work, the most that was read: what is compared again counts once. */
  #mostRead = 0;
  #current:
    | {
        readonly name: string;
        readonly side: 'leader' | 'here';
        readonly read: () => ReadNumbers | undefined;
      }
    | undefined;

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** What is to be compared, in the order in which that is done. */
  plan(collections: readonly Planned[]): void {
    this.#phase = 'comparing';
    this.#waiting = collections;
    this.#expected = { collections: collections.length, documents: documentsOf(collections) };
    this.#speed.at(0, this.#clock.nowMs());
  }

  /** @param read asked how much is read, by whoever looks */
  begin(name: string, side: 'leader' | 'here', read: () => ReadNumbers | undefined): void {
    this.#current = { name, side, read };
  }

  /** The collection in work differs so far, and is to be compared again. */
  again(): void {
    this.#phase = 'rechecking';
  }

  /** The collection in work, or the next one, is compared. */
  done(): void {
    this.#phase = 'comparing';
    this.#waiting = this.#waiting.slice(1);
    this.#mostRead = 0;
    this.#current = undefined;
  }

  get numbers(): VerifyNumbers {
    const { collections, documents } = this.#expected;
    const current = this.#current;
    const read = current?.read();
    if (current) this.#mostRead = Math.max(this.#mostRead, this.#readOf(current.side, read));
    const documentsDone = Math.floor(documents - documentsOf(this.#waiting) + this.#mostRead);
    const speed = this.#speed.at(documentsDone, this.#clock.nowMs()) ?? 0;
    return {
      phase: this.#phase,
      collectionsDone: collections - this.#waiting.length,
      collectionsExpected: collections,
      documentsDone,
      documentsExpected: documents,
      documentsPerSecond: toTenth(speed),
      secondsLeft:
        this.#phase === 'preparing' ? null : secondsLeft(documents - documentsDone, speed),
      collection: current
        ? {
            ...{ name: current.name, side: current.side },
            documentsDone: read?.documentsDone ?? null,
            documentsExpected: read?.documentsExpected ?? null,
          }
        : null,
    };
  }

  /** In documents of the one in work as planned; the leader is read first, and each side is half of it. */
  #readOf(side: 'leader' | 'here', read: ReadNumbers | undefined): number {
    const { documentsDone = 0, documentsExpected = 0 } = read ?? {};
    const share = documentsExpected === 0 ? 0 : Math.min(1, documentsDone / documentsExpected);
    return ((this.#waiting[0]?.documents ?? 0) * ((side === 'here' ? 1 : 0) + share)) / 2;
  }
}

function documentsOf(collections: readonly Planned[]): number {
  return collections.reduce((sum, { documents }) => sum + documents, 0);
}
