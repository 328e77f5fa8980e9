import { type Clock, systemClock } from '../base/clock.ts';
import { secondsLeft, toTenth } from '../base/pace.ts';
import { Rate } from '../base/rate.ts';
import type { WorkNumbers } from '../model/work-numbers.ts';

/** What is known of it when it begins. */
type BegunWork = Pick<WorkNumbers, 'kind' | 'index' | 'documentsExpected'>;

/** Something that goes once over all documents of a collection, until it is disposed of. */
export class Work implements Disposable {
  readonly #begun: BegunWork;
  readonly #onEnd: () => void;
  readonly #rate: Rate;
  #documents = 0;

  constructor(deps: { clock: Clock }, begun: BegunWork, onEnd: () => void) {
    this.#begun = begun;
    this.#onEnd = onEnd;
    this.#rate = new Rate(deps);
  }

  /** So many documents more are done. */
  add(documents: number): void {
    this.#documents += documents;
    this.#rate.add(documents);
  }

  get numbers(): WorkNumbers {
    const { kind, index, documentsExpected } = this.#begun;
    // What was written since the beginning may be gone over, too.
    const documentsDone = Math.min(Math.floor(this.#documents), documentsExpected);
    const { perSecond } = this.#rate;
    return {
      kind,
      ...(index ? { index } : {}),
      documentsDone,
      documentsExpected,
      documentsPerSecond: toTenth(perSecond),
      secondsLeft: secondsLeft(documentsExpected - documentsDone, perSecond),
    };
  }

  [Symbol.dispose](): void {
    this.#onEnd();
  }
}

/** All that goes over a collection at the moment, for those who wait for it. */
export class CollectionWorks {
  readonly #clock: Clock;
  readonly #running = new Set<Work>();

  constructor({ clock }: { clock: Clock } = { clock: systemClock }) {
    this.#clock = clock;
  }

  begin(begun: BegunWork): Work {
    const work = new Work({ clock: this.#clock }, begun, () => this.#running.delete(work));
    this.#running.add(work);
    return work;
  }

  /** In the order in which they began. */
  get numbers(): readonly WorkNumbers[] {
    return [...this.#running].map(({ numbers }) => numbers);
  }
}
