import type { Database } from '../documents/database.ts';
import type { Tick } from '../model/tick.ts';
import { listLine } from '../protocol/together.ts';
import { Space } from '../storage/keys.ts';
import { readWholeLogs } from '../storage/page.ts';
import { type PageBody, PageBodyBuilder } from '../storage/page-body.ts';
import type { Store } from '../storage/store.ts';
import type { PageLimits, PageMemory } from './page-memory.ts';

export interface TogetherRequest {
  /** Names or ids. */
  readonly collections: readonly string[];
  /** Inclusive. */
  readonly to: Tick;
  /** In bytes: for as many as have room in it. */
  readonly chunkSize: number;
}

/** Small collections, each whole. `release` must be called when it is sent. */
export interface TogetherPage {
  /** As protocol/together.ts has it. */
  readonly body: PageBody;
  /** The tick of the whole is 0: each collection has its own in the list. */
  readonly lastIncluded: Tick;
  /** Whether some that were asked for are not in it: there was no room, or there is no such collection. */
  readonly checkMore: boolean;
  readonly incarnation: string;
  readonly release: () => void;
}

/** Of the line that lists them, for each. */
const ENTRY_MAX_BYTES = 128;

/** Serves many small collections at a time: a page of each, removals included, as a dump of it alone would have. */
export class DumpTogether {
  readonly #store: Store;
  readonly #memory: PageMemory;

  constructor(deps: { store: Store; memory: PageMemory }) {
    this.#store = deps.store;
    this.#memory = deps.memory;
  }

  /**
   * Nothing above the last completed commit is in it.
   * @throws ServiceError databaseNotFound when it is dropped meanwhile; storageDamaged; the reason of `signal` when
   *   that aborts while the page waits for memory
   */
  async read(
    database: Database,
    request: TogetherRequest,
    signal: AbortSignal,
  ): Promise<TogetherPage> {
    const { page, release } = await this.#memory.hold(request.chunkSize, signal, (limits) =>
      this.#readWithin(limits, database, request),
    );
    const incarnation = this.#store.incarnation.id;
    return { ...page, lastIncluded: 0n, incarnation, release };
  }

  async #readWithin(
    { limitBytes, maxBytes }: PageLimits,
    database: Database,
    { collections: asked, to }: TogetherRequest,
  ): Promise<Pick<TogetherPage, 'body' | 'checkMore'>> {
    const { lastCommitted, level } = this.#store;
    const wanted = new Set(asked.flatMap((name) => database.find(name) ?? []));
    const pages = await readWholeLogs(level, {
      space: Space.journal,
      numbers: [...wanted].map(({ number }) => number),
      to: to < lastCommitted ? to : lastCommitted,
      limitBytes: Math.min(limitBytes, maxBytes - asked.length * ENTRY_MAX_BYTES),
    });
    database.assertAlive();
    // One that was dropped is being erased: what was read of it may be a part only.
    const found = [...wanted].flatMap((collection) => {
      const page = collection.dropped ? undefined : pages.get(collection.number);
      return page ? [{ collection, page }] : [];
    });
    const list = found.map(({ collection: { cid, deletionsSince }, page }) => ({
      collection: cid,
      length: page.body.length,
      lastIncluded: page.lastIncluded.toString(),
      // After the reading, so that a page which a compaction overtook does not claim too much.
      deletionsSince: deletionsSince.toString(),
    }));
    const body = new PageBodyBuilder();
    body.add(listLine(list));
    for (const { page } of found) body.addBody(page.body);
    return { body: body.finish(), checkMore: found.length < asked.length };
  }
}
