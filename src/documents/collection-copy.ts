import type { CollectionParameters, IndexDefinition } from '../model/collection.ts';
import { CollectionType } from '../model/collection.ts';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { documentHead, documentTail, journalHead } from '../protocol/line.ts';
import type { CutLine } from '../storage/block-writer.ts';
import type { LineRun } from '../storage/line-run.ts';
import { keyGroups } from '../storage/key-groups.ts';
import { Space, numberRange, primaryKeyDocument } from '../storage/keys.ts';
import { OpenPointer } from '../storage/pointer.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { CapList } from './cap-list.ts';
import type { Catalogue } from './catalogue.ts';
import type { Collection, Followed } from './collection.ts';
import type { Collections } from './collections.ts';
import type { Database } from './database.ts';
import { fillIndex, fillableIndex } from './index-builder.ts';

/** What a switch knows of the server that the copies are of. */
export interface SwitchSource {
  /** What the copies are copies of. */
  readonly followed: Followed;
  /** Collections that are what they would be copied as, and stay. */
  readonly kept?: readonly Collection[];
  /** Whether a collection that is here is gone there: then it goes with the switch. */
  readonly isGone: (collection: Collection) => boolean;
  /** What one that has the name of a copy is to be called from then on; undefined for one that is to go. */
  readonly nameBeside: (collection: Collection) => string | undefined;
}

const COUNT_STEP = 50_000;

/**
 * Copies of another server's collections in the making. They live hidden, under numbers of their
 * own, beside what they will replace; `switchIn` puts all of them in place in one batch (P6).
 */
export class CollectionCopies {
  readonly #store: Store;
  readonly #catalogue: Catalogue;
  readonly #collections: Collections;

  constructor(deps: { store: Store; catalogue: Catalogue; collections: Collections }) {
    this.#store = deps.store;
    this.#catalogue = deps.catalogue;
    this.#collections = deps.collections;
  }

  /**
   * Begins a copy with what `write` writes, if anything; `also` sees it and writes what must be in the same batch. As
   * nobody but its maker looks at a copy, that need not be a batch of its own. What one of them throws leaves no copy.
   */
  create(
    database: Database,
    parameters: CollectionParameters,
    also: (tx: WriteTx, copy: Collection) => void,
    write?: (writer: CopyWriter) => void,
  ): Promise<Collection> {
    return this.#store.commit((tx) => {
      database.assertAlive();
      const createdTick = tx.drawTick();
      const copy = this.#catalogue.addCollection(tx, database, {
        database: database.number,
        hidden: true,
        parameters,
        indexes: [],
        createdTick,
        deletionsSince: createdTick,
      });
      if (write) appendTo(tx, copy, write);
      also(tx, copy);
      return copy;
    });
  }

  /** Writes one page of a copy, together with what `also` writes: the position after it (P3). */
  append(
    copy: Collection,
    write: (writer: CopyWriter) => void,
    also: (tx: WriteTx) => void,
  ): Promise<void> {
    return this.#store.commit((tx) => {
      copy.assertAlive();
      appendTo(tx, copy, write);
      also(tx);
    });
  }

  /** Whether a copy that is to have no indexes needs no `complete`: every entry was that of a new key. */
  isComplete(tx: WriteTx, copy: Collection): boolean {
    const { entries, count } = copy.readStats(tx);
    return entries === count && copy.record.indexes.length === 0;
  }

  /**
   * Counts a copy, if need be by one scan of its keys, builds its indexes with the leader's ids, and notes with
   * `also` that it is complete. Repeating it after a crash does no harm.
   * @throws ServiceError uniqueConstraintViolated when the documents do not satisfy an index
   */
  async complete(
    copy: Collection,
    definitions: readonly IndexDefinition[],
    also: (tx: WriteTx) => void,
    signal: AbortSignal,
  ): Promise<void> {
    // Where every entry was that of a new key, all of them are live.
    const { entries, count: known } = copy.stats;
    const count = known === entries ? known : await this.#count(copy, signal);
    await this.#addIndexes(copy, definitions);
    const indexes = copy.record.indexes.flatMap(
      ({ number, definition }) => fillableIndex(number, definition) ?? [],
    );
    // Those of all indexes count, one after the other.
    using work = copy.works.begin({ kind: 'index', documentsExpected: count * indexes.length });
    for (const index of indexes) await fillIndex(this.#store, copy, index, { work, signal });
    await this.#store.commit((tx) => {
      copy.assertAlive();
      const stats = copy.readStats(tx);
      copy.writeStats(tx, { ...stats, count, dead: stats.entries - count });
      for (const cap of copy.caps) cap.complete(tx);
      also(tx);
    });
  }

  /**
   * Puts the copies in the place of whatever has their id or their name, in one batch with what `also`
   * writes. What has a name, but another id, may stay beside them under another name. Readers see the old collections until then and the new ones from then on. What is gone at the
   * source goes in the same batch.
   * @param also sees all those that go
   * @returns those that went without a replacement
   */
  switchIn(
    database: Database,
    copies: readonly Collection[],
    also: (tx: WriteTx, going: readonly Collection[]) => void,
    source?: SwitchSource,
  ): Promise<readonly Collection[]> {
    return this.#store.commit(
      (tx) => {
        database.assertAlive();
        const replaced = new Set<Collection>();
        for (const copy of copies) {
          copy.assertAlive();
          const old = database.byCid(copy.cid);
          if (old) replaced.add(old);
        }
        for (const copy of copies) {
          const old = database.byName(copy.name);
          if (!old || replaced.has(old)) continue;
          const name = source?.nameBeside(old);
          if (name === undefined) replaced.add(old);
          else moveAside(tx, database, old, name);
        }
        const kept = new Set(source?.kept);
        for (const each of kept) {
          each.assertAlive();
          each.writeRecord(tx, {
            ...each.record,
            ...(source ? { followed: source.followed } : {}),
          });
        }
        const gone = database.collections.filter(
          (each) => !replaced.has(each) && !kept.has(each) && source?.isGone(each),
        );
        const going = [...replaced, ...gone];
        for (const old of going) this.#collections.dropSilently(tx, database, old);
        const tick = tx.drawTick();
        for (const copy of copies) {
          tx.observeTick(BigInt(copy.cid));
          copy.writeRecord(tx, {
            ...copy.record,
            ...{ hidden: false, deletionsSince: tick },
            ...(source ? { followed: source.followed } : {}),
          });
          tx.afterCommit(() => {
            this.#catalogue.forgetHidden(copy);
            database.show(copy);
          });
        }
        // Those who follow this server cannot replay a switch; they must copy anew.
        if (database.changelog.config.logRemoteChanges) database.changelog.noteHole(tx, tick);
        else database.changelog.noteUnlogged(tx, tick, 'remote');
        also(tx, going);
        return gone;
      },
      { exclusive: true },
    );
  }

  /**
   * Removes copies that will not be finished.
   * @param isLeft asked about each copy of the database when nothing else is being written
   * @param also sees those that go, and writes what must be in the same batch
   */
  discard(
    database: Database,
    isLeft: (copy: Collection) => boolean,
    also: (tx: WriteTx, going: readonly Collection[]) => void,
  ): Promise<void> {
    return this.#store.commit(
      (tx) => {
        const going = this.#catalogue.hiddenOf(database).filter(isLeft);
        for (const copy of going) this.#collections.dropSilently(tx, database, copy);
        also(tx, going);
      },
      { exclusive: true },
    );
  }

  /** Notes those indexes that a copy lacks; they are empty. */
  async #addIndexes(copy: Collection, definitions: readonly IndexDefinition[]): Promise<void> {
    const has = new Set(copy.record.indexes.map(({ definition }) => definition.id));
    const missing = definitions.filter(({ id }) => !has.has(id));
    if (missing.length === 0) return;
    await this.#store.commit(
      (tx) => {
        copy.assertAlive();
        const added = missing.map((definition) => {
          tx.observeTick(BigInt(definition.id));
          const number = this.#catalogue.drawNumber(tx);
          CapList.from(number, definition)?.create(tx);
          return { number, definition };
        });
        copy.writeRecord(tx, { ...copy.record, indexes: [...copy.record.indexes, ...added] });
      },
      { exclusive: true },
    );
  }

  async #count(copy: Collection, signal: AbortSignal): Promise<number> {
    const range = numberRange(Space.primary, copy.number);
    using work = copy.works.begin({ kind: 'count', documentsExpected: copy.stats.entries });
    let count = 0;
    let largest: Buffer | undefined;
    for await (const keys of keyGroups(this.#store.level, range, COUNT_STEP)) {
      signal.throwIfAborted();
      count += keys.length;
      work.add(keys.length);
      largest = keys.at(-1);
    }
    copy.setLargestKey(largest === undefined ? '' : primaryKeyDocument(largest));
    return count;
  }
}

function appendTo(tx: WriteTx, copy: Collection, write: (writer: CopyWriter) => void): void {
  const writer = new CopyWriter(tx, copy);
  write(writer);
  writer.finish();
}

/** Gives a collection another name, without a log entry. */
function moveAside(tx: WriteTx, database: Database, collection: Collection, name: string): void {
  const { record, name: oldName } = collection;
  collection.writeRecord(tx, { ...record, parameters: { ...record.parameters, name } });
  tx.afterCommit(() => {
    database.show(collection, oldName);
  });
}

/**
 * Writes lines of a dump into a copy. Nobody reads a copy while it grows, so nothing is looked up:
 * of several entries for one key the last one written is live.
 */
export class CopyWriter {
  readonly #tx: WriteTx;
  readonly #copy: Collection;
  #entries = 0;
  #newKeys = 0;
  #bytes = 0;
  #lastTick: Tick = 0n;
  #lastKey = 0;

  constructor(tx: WriteTx, copy: Collection) {
    this.#tx = tx;
    this.#copy = copy;
  }

  /** @param data the document's text, or a line of a page of our own shape, which is copied */
  upsert(key: string, rev: string, data: string | CutLine): void {
    const { number } = this.#copy;
    const edge = this.#copy.type === CollectionType.edge;
    const type = edge ? MarkerType.edge : MarkerType.document;
    const tick = this.#tx.drawTick();
    if (this.#copy.frontier.lacks(key)) this.#newKeys++;
    this.#copy.frontier.add(key);
    const pointer = new OpenPointer(tick, rev);
    this.#tx.putBlind(this.#copy.primaryPrefix + key, pointer);
    const entry = { tick, type, collection: number, transaction: 0n };
    const journal = this.#tx.journal(number);
    const before = journal.bytes;
    if (typeof data === 'string') {
      journal.appendData(entry, documentHead({ type, key, rev }), data, pointer);
    } else {
      journal.appendCut(entry, journalHead(type), data, pointer);
    }
    this.#count(tick, journal.bytes - before);
    if (this.#copy.parameters.keyOptions?.type === 'autoincrement' && /^[0-9]{1,15}$/.test(key)) {
      this.#lastKey = Math.max(this.#lastKey, Number(key));
    }
  }

  /** Whether `appendRun` does all that is to be done for a line. */
  get takesRuns(): boolean {
    return this.#copy.parameters.keyOptions?.type !== 'autoincrement';
  }

  /**
   * Writes the lines of a run as they are, but for their ticks.
   * @returns false when that cannot be, because new ticks have not the length of theirs, or because `upsert` or `remove` have
   *   written into the same batch, be it for an earlier append: then nothing is written
   */
  appendRun(run: LineRun & { readonly ascending: boolean; key(i: number): string }): boolean {
    const { number, frontier } = this.#copy;
    const { count, types } = run;
    if (!run.isJournal || this.#tx.hasBlind(this.#copy.primaryPrefix)) return false;
    const first = this.#tx.drawTicks(count);
    const last = first + BigInt(count - 1);
    if (first.toString().length !== run.tickDigits) return false;
    if (last.toString().length !== run.tickDigits) return false;
    if (run.ascending && frontier.isBelow(run.key(0))) {
      this.#newKeys += count;
      frontier.raise(run.key(count - 1));
    } else {
      for (let i = 0; i < count; i++) {
        if (types[i] === MarkerType.remove) continue;
        const key = run.key(i);
        if (frontier.lacks(key)) this.#newKeys++;
        frontier.add(key);
      }
    }
    this.#tx.journal(number).appendRun(run, first, number);
    this.#lastTick = last;
    this.#entries += count;
    this.#bytes += (run.ends[count - 1] ?? 0) - run.start;
    return true;
  }

  remove(key: string, rev: string): void {
    const { number } = this.#copy;
    const type = MarkerType.remove;
    const tick = this.#tx.drawTick();
    this.#tx.putBlind(this.#copy.primaryPrefix + key, null);
    const entry = { tick, type, collection: number, transaction: 0n };
    this.#count(tick, this.#tx.journal(number).append(entry, documentTail({ type, key, rev })));
  }

  /** Adds to the figures; what counts as live until the copy is complete are keys known to be new. */
  finish(): void {
    const stats = this.#copy.readStats(this.#tx);
    const lastTick = this.#lastTick > stats.lastTick ? this.#lastTick : stats.lastTick;
    this.#copy.writeStats(this.#tx, {
      ...stats,
      count: stats.count + this.#newKeys,
      entries: stats.entries + this.#entries,
      bytes: stats.bytes + this.#bytes,
      lastTick,
      // Copies are made in full blocks.
      mergedTick: lastTick,
      lastKey: Math.max(stats.lastKey, this.#lastKey),
    });
  }

  #count(tick: Tick, bytes: number): void {
    this.#lastTick = tick;
    this.#entries++;
    this.#bytes += bytes;
  }
}
