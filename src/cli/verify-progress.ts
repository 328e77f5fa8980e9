import { Speed } from '../base/speed.ts';
import type { CliIo } from './io.ts';
import { type CollectionProgress, ProgressDisplay, type ProgressFigures } from './progress.ts';
import { type ExpectedCollection, timeLeft, totalKnown } from './transfer.ts';

/** How much of a collection has been read, on both servers. */
export interface ReadAmount {
  readonly documentsDone: number;
  readonly documentsExpected: number;
  /** Of dumps, where those are compared; undefined where documents stay where they are. */
  readonly bytesDone?: number;
}

const NOTHING: ReadAmount = { documentsDone: 0, documentsExpected: 0 };

/** Shows how far one part of a comparison is, which goes from collection to collection. */
export class VerifyProgress implements Disposable {
  readonly #display: ProgressDisplay | undefined;
  #phase = '';
  #planned: readonly ExpectedCollection[] = [];
  #documents = new Speed();
  #bytes = new Speed();
  #collectionsDone = 0;
  /** Of dumps of the collections that are done. */
  #bytesRead = 0;
  #documentsRead = 0;
  #now = NOTHING;

  /** @param progress false: nothing is shown */
  constructor(io: CliIo, progress: boolean) {
    this.#display = ProgressDisplay.start(io, progress, () => this.#figures());
  }

  /**
   * What is gone over, in the order in which that is done.
   * @param phase what is done to them, such as `comparing`
   * @param done how many of them are done already
   */
  plan(phase: string, collections: readonly ExpectedCollection[], done = 0): void {
    this.#phase = phase;
    this.#planned = collections;
    this.#documents = new Speed();
    this.#bytes = new Speed();
    this.#collectionsDone = done;
    [this.#documentsRead, this.#bytesRead, this.#now] = [0, 0, NOTHING];
    this.#figures();
  }

  /** How much of the collection in work is read. */
  read(amount: ReadAmount): void {
    this.#now = amount;
  }

  /** The collection in work is done. */
  done(): void {
    this.#documentsRead += this.#now.documentsDone;
    this.#bytesRead += this.#now.bytesDone ?? 0;
    this.#now = NOTHING;
    this.#collectionsDone++;
  }

  [Symbol.dispose](): void {
    this.#display?.[Symbol.dispose]();
  }

  #figures(): ProgressFigures | undefined {
    const planned = this.#planned;
    if (planned.length === 0) return undefined;
    const over = planned.slice(0, this.#collectionsDone);
    const current = planned[this.#collectionsDone];
    const inWork = current && this.#progressOf(current);
    const documentsExpected = totalKnown(planned, ({ documents }) => documents);
    const bytesExpected = totalKnown(planned, ({ bytes }) => bytes);
    const share = shareOf(this.#now);
    const documentsDone =
      documentsExpected === undefined
        ? this.#documentsRead + this.#now.documentsDone
        : (totalKnown(over, ({ documents }) => documents) ?? 0) +
          Math.floor(share * (current?.documents ?? 0));
    const bytesDone =
      bytesExpected === undefined
        ? this.#bytesRead + (this.#now.bytesDone ?? 0)
        : (totalKnown(over, ({ bytes }) => bytes) ?? 0) + Math.floor(share * (current?.bytes ?? 0));
    const documentsPerSecond = this.#documents.at(documentsDone);
    const bytesPerSecond = this.#bytes.at(bytesDone);
    return {
      phase: this.#phase,
      collectionsDone: this.#collectionsDone,
      collectionsExpected: planned.length,
      ...{ documentsDone, documentsExpected, bytesDone, bytesExpected },
      ...{ documentsPerSecond, bytesPerSecond },
      secondsLeft:
        timeLeft(bytesExpected, bytesDone, bytesPerSecond) ??
        timeLeft(documentsExpected, documentsDone, documentsPerSecond),
      inWork: inWork ? [inWork] : [],
    };
  }

  /** What a share of its documents comes to of its bytes, where these are not sent. */
  #progressOf({ name, documents, bytes }: ExpectedCollection): CollectionProgress {
    const { documentsDone, documentsExpected, bytesDone } = this.#now;
    return {
      ...{ name, documentsDone },
      documentsExpected: documentsExpected === 0 ? documents : documentsExpected,
      bytesDone: bytesDone ?? Math.floor(shareOf(this.#now) * (bytes ?? 0)),
      bytesExpected: bytesDone === undefined ? bytes : undefined,
    };
  }
}

function shareOf({ documentsDone, documentsExpected }: ReadAmount): number {
  return documentsExpected === 0 ? 0 : Math.min(1, documentsDone / documentsExpected);
}
