import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import { CollectionType } from '../model/collection.ts';
import type { Tick } from '../model/tick.ts';
import { pageOf3 } from '../protocol/page-of-3.ts';
import { Space } from '../storage/keys.ts';
import { type Page, readPage } from '../storage/page.ts';
import { PageBody } from '../storage/page-body.ts';
import type { Store } from '../storage/store.ts';
import { withCollectionIds, withoutTicks } from './dump-lines.ts';
import type { PageLimits } from './page-memory.ts';
import type { PagesAhead } from './pages-ahead.ts';

/** What dump is asked for (contract 3.4). */
export interface DumpRequest {
  /** Name or id. */
  readonly collection: string;
  /** Exclusive. */
  readonly from: Tick;
  /** Inclusive. */
  readonly to: Tick;
  /** In bytes. */
  readonly chunkSize: number;
  /** false: lines without ticks. */
  readonly ticks: boolean;
  /** false: `_from` and `_to` with ids of collections in place of names. */
  readonly translateIds: boolean;
  /** Print the lines as 3.x has them, or as 2.8 does with `compat28`. */
  readonly shape: 'stored' | '3.x' | 'compat28';
}

/** A page of a collection. `release` must be called when it is sent. */
export interface DumpPage {
  /** Empty when there are no lines. */
  readonly body: PageBody;
  /** Tick of the last line, 0 without one. */
  readonly lastIncluded: Tick;
  /** Whether there is another line up to `to`. */
  readonly checkMore: boolean;
  /** From this tick on the removals in the dump are complete. */
  readonly deletionsSince: Tick;
  /** The present run of this server. */
  readonly incarnation: string;
  readonly release: () => void;
}

/** Serves collections page by page, in order of ticks, removals included (contract 3.4). */
export class CollectionDump {
  readonly #store: Store;
  readonly #ahead: PagesAhead;

  constructor(deps: { store: Store; ahead: PagesAhead }) {
    this.#store = deps.store;
    this.#ahead = deps.ahead;
  }

  /**
   * Reads the page after `from`: at least one line if there is one, and none above the last
   * completed commit.
   *
   * @throws ServiceError collectionNotFound, also when the collection is dropped meanwhile;
   *   storageDamaged; the reason of `signal` when that aborts while the page waits for memory
   */
  async read(database: Database, request: DumpRequest, signal: AbortSignal): Promise<DumpPage> {
    const collection = database.get(request.collection);
    const { number } = collection;
    const { from, to, chunkSize } = request;
    const factor = isVerbatim(request) ? 1 : PRINTED_FACTOR;
    const end = (): Tick => (to < this.#store.lastCommitted ? to : this.#store.lastCommitted);
    const read = (after: Tick, limits: PageLimits): Promise<Page> =>
      readPage(this.#store.level, {
        space: Space.journal,
        number,
        from: after,
        to: end(),
        ...limits,
      });
    const row = `${number} ${to} ${chunkSize} ${factor}`;
    const wanted = { row, from, chunkSize, factor, end, read };
    const { page, release } = await this.#ahead.hold(wanted, signal);
    try {
      // A dropped collection is being erased: what was read of it may be a part only.
      database.assertAlive();
      collection.assertAlive();
      return {
        body: isVerbatim(request)
          ? page.body
          : PageBody.of(printed(database, collection, page.body.toBuffer(), request)),
        lastIncluded: page.lastIncluded,
        checkMore: page.more,
        // After the reading, so that a page which a compaction overtook does not claim too much.
        deletionsSince: collection.deletionsSince,
        incarnation: this.#store.incarnation.id,
        release,
      };
    } catch (error) {
      release();
      throw error;
    }
  }
}

/** Memory that a page takes while it is printed anew, in its own bytes. */
const PRINTED_FACTOR = 2;

/** Whether the lines are served as they are stored. */
function isVerbatim({ shape, ticks, translateIds }: DumpRequest): boolean {
  return shape === 'stored' && ticks && translateIds;
}

function printed(
  database: Database,
  collection: Collection,
  body: Buffer,
  { shape, ticks, translateIds }: DumpRequest,
): Buffer {
  if (shape !== 'stored') {
    const compat28 = shape === 'compat28';
    return pageOf3(body, { kind: 'dump', collection: collection.name, ticks, compat28 });
  }
  const named =
    translateIds || collection.type !== CollectionType.edge
      ? body
      : withCollectionIds(body, (name) => database.byName(name)?.cid);
  return ticks ? named : withoutTicks(named);
}
