import type { LoggerConfig } from '../model/logger-config.ts';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import { NewBytes, needsNoMerging } from '../storage/block-merge.ts';
import { readLastEntry } from '../storage/block-reader.ts';
import { Space, metaKey } from '../storage/keys.ts';
import { LogTip } from '../storage/log-tip.ts';
import { type Page, type PageRange, pageOf, readPage } from '../storage/page.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import { StoredState } from '../storage/stored-state.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import {
  EMPTY_LOG,
  type LogState,
  decodeLogState,
  encodeLogState,
  logStateKey,
} from './log-state.ts';
import { type LogAddition, LogSession } from './log-session.ts';

export type LogPageRange = Omit<PageRange, 'space' | 'number'>;

/** Where a change comes from: a client of this server, or its own applier or sync. */
export type Origin = 'local' | 'remote';

/**
 * The changelog of one database: appended in the batch of the change it tells of (P1), read in tick
 * order, pruned by its caps. While the logger is stopped nothing is appended and the hole is noted.
 */
export class Changelog {
  readonly #store: Store;
  readonly #number: number;
  readonly #state: StoredState<LogState>;
  #running = false;
  #config: LoggerConfig;
  readonly #bornTick: Tick;
  #totalEvents = 0;
  #loggedBytes = 0;
  #commitsSinceMerge = 0;
  readonly #bytesSinceMerge = new NewBytes();
  /** Tick of the last change that went unlogged; unknown ones of earlier runs are below it. */
  #lastUnlogged: Tick;
  readonly #tip: LogTip;
  #storeReads = 0;
  /**
   * A list: a set makes a new table every few changes, and the tables of old that garbage collection has not come
   * to yet keep all that follow, and what waited in them.
   */
  #waiters: (() => boolean)[] = [];
  #dropped = false;

  /** @param options.bornTick tick at which the database was created */
  constructor(
    deps: { store: Store },
    options: { databaseNumber: number; config: LoggerConfig; bornTick: Tick },
  ) {
    this.#store = deps.store;
    this.#number = options.databaseNumber;
    this.#config = options.config;
    this.#bornTick = options.bornTick;
    const key = logStateKey(options.databaseNumber);
    const stored = deps.store.level.getSync(key);
    const committed = stored ? decodeLogState(key, stored) : EMPTY_LOG;
    this.#state = new StoredState({ key, committed, encode: encodeLogState });
    this.#lastUnlogged = deps.store.incarnation.foundTick;
    this.#tip = new LogTip(
      {
        level: deps.store.level,
        memory: deps.store.tips,
        lastTick: () => this.state.lastTick,
        onRead: () => this.#storeReads++,
      },
      { space: Space.changelog, number: options.databaseNumber },
    );
  }

  /** As last committed. */
  get state(): LogState {
    return this.#state.committed;
  }

  get databaseNumber(): number {
    return this.#number;
  }

  get running(): boolean {
    return this.#running;
  }

  get config(): LoggerConfig {
    return this.#config;
  }

  /** Events logged since the server started; stopping does not reset it (contract 2.4). */
  get totalEvents(): number {
    return this.#totalEvents;
  }

  /** Bytes of lines logged since the server started. */
  get loggedBytes(): number {
    return this.#loggedBytes;
  }

  /** How often the store was read for pages. */
  get storeReads(): number {
    return this.#storeReads;
  }

  /** Commits that added blocks since `noteMerged`: requests that share one are one. */
  get commitsSinceMerge(): number {
    return this.#commitsSinceMerge;
  }

  /** What was written in them, see `isWorthLooking`. */
  get bytesSinceMerge(): number {
    return this.#bytesSinceMerge.sum;
  }

  /** The log is complete for readers whose position is at or above this tick (design, rule 8). */
  get holeAt(): Tick {
    if (!this.state.unlogged) return this.state.holeAt;
    return this.#lastUnlogged > this.state.holeAt ? this.#lastUnlogged : this.state.holeAt;
  }

  /**
   * Whether nothing is missing between `from` and the first event that can be served. A position from
   * before the database was created belongs to another one of that name, unless it is from before there
   * was this server: that stands for the beginning. One above all that was ever committed is not ours.
   */
  holds(from: Tick): boolean {
    if (from < this.holeAt || from > this.#store.lastCommitted) return false;
    return from >= this.#bornTick || from < this.#store.firstTick;
  }

  /** The smallest position from which on nothing is missing, by the rules of `holds`. */
  get completeFrom(): Tick {
    const { holeAt } = this;
    const isBefore = holeAt < this.#bornTick && holeAt >= this.#store.firstTick;
    return isBefore ? this.#bornTick : holeAt;
  }

  /** Whether a change of this origin is to be logged now. */
  logs(origin: Origin): boolean {
    return this.#running && (origin === 'local' || this.#config.logRemoteChanges);
  }

  /** Begins appending the entries of one request. */
  begin(tx: WriteTx): LogSession {
    return new LogSession(
      { tx, finish: (addition) => this.#add(tx, addition) },
      { databaseNumber: this.#number },
    );
  }

  /**
   * Notes a change that would be logged if the logger ran, or, for a remote one, if it ran and
   * logged remote changes: those who read the log now miss it.
   */
  noteUnlogged(tx: WriteTx, tick: Tick, origin: Origin): void {
    const state = this.#state.read(tx);
    if (origin === 'remote' && !this.#config.logRemoteChanges) {
      if (!state.unloggedRemote) this.#state.write(tx, { ...state, unloggedRemote: true });
      return;
    }
    if (!state.unlogged) this.#state.write(tx, { ...state, unlogged: true, holeAt: tick });
    tx.afterCommit(() => {
      if (tick > this.#lastUnlogged) this.#lastUnlogged = tick;
      this.#wake();
    });
  }

  /** Says that readers below `tick` must copy anew: a sync replaced data without logging it. */
  noteHole(tx: WriteTx, tick: Tick): void {
    const state = this.#state.read(tx);
    if (tick > state.holeAt) this.#state.write(tx, { ...state, holeAt: tick });
    tx.afterCommit(() => this.#wake());
  }

  /** Starts logging: one event 1001 with the last tick before (contract 2.2). Needs a batch of its own. */
  start(tx: WriteTx): void {
    if (this.#running) return;
    const before = this.#state.read(tx);
    const holeAt = this.holeAt;
    this.#state.write(tx, { ...before, unlogged: false, holeAt });
    this.#appendLoggerEvent(tx, MarkerType.loggerStart, before.lastTick);
    tx.afterCommit(() => {
      this.#running = true;
    });
  }

  /** Stops logging: one event 1000 (contract 2.3). Needs a batch of its own. */
  stop(tx: WriteTx): void {
    if (!this.#running) return;
    this.#appendLoggerEvent(tx, MarkerType.loggerStop, this.#state.read(tx).lastTick);
    tx.afterCommit(() => {
      this.#running = false;
    });
  }

  /**
   * Stores the settings. Where remote changes begin to be logged, those before are a hole. Needs a batch
   * of its own.
   */
  configure(tx: WriteTx, config: LoggerConfig): void {
    const key = metaKey('L', this.#number);
    tx.put(key, encodeRecord(key, config));
    const state = this.#state.read(tx);
    if (config.logRemoteChanges && state.unloggedRemote) {
      const { lastCommitted } = this.#store;
      const holeAt = lastCommitted > state.holeAt ? lastCommitted : state.holeAt;
      this.#state.write(tx, { ...state, unloggedRemote: false, holeAt });
    }
    tx.afterCommit(() => {
      this.#config = config;
    });
  }

  /**
   * Moves the mark below which everything is gone; the caller sees to the blocks.
   * @param removed what was planned, and the marks `after` and `lastTick` of the state it was planned for
   * @returns false when that state is no more: somebody else removed events, or all were to go and there
   * are new ones
   */
  noteRemoved(
    tx: WriteTx,
    removed: {
      after: Tick;
      lastTick: Tick;
      upTo: Tick;
      events: number;
      bytes: number;
      firstTick: Tick;
    },
  ): boolean {
    const state = this.#state.read(tx);
    if (state.removedTick !== removed.after) return false;
    if (removed.firstTick === 0n && state.lastTick !== removed.lastTick) return false;
    this.#state.write(tx, {
      ...state,
      removedTick: removed.upTo,
      firstTick: removed.firstTick,
      holeAt: removed.upTo > state.holeAt ? removed.upTo : state.holeAt,
      events: state.events - removed.events,
      bytes: state.bytes - removed.bytes,
    });
    return true;
  }

  /** Whether the event of a tick is gone as of a transaction. */
  isRemoved(tx: WriteTx, tick: Tick): boolean {
    return tick <= this.#state.read(tx).removedTick;
  }

  /** Notes that blocks up to this tick need no more merging. */
  noteMerged(tx: WriteTx, upTo: Tick): void {
    const state = this.#state.read(tx);
    // A large write may have moved it meanwhile.
    if (upTo > state.mergedTick) this.#state.write(tx, { ...state, mergedTick: upTo });
    tx.afterCommit(() => {
      this.#commitsSinceMerge = 0;
      this.#bytesSinceMerge.clear();
    });
  }

  get dropped(): boolean {
    return this.#dropped;
  }

  /** Says that the database is gone: nothing may be written any more, and nobody need wait. */
  markDropped(): void {
    this.#dropped = true;
    this.#tip.close();
    this.#wake();
  }

  /**
   * Reads a page of events that are committed; see readPage. Those who follow the end of the log share
   * what one of them reads of the store.
   */
  async readPage(range: LogPageRange): Promise<Page> {
    const { lastTick, removedTick } = this.state;
    const bounded: PageRange = {
      space: Space.changelog,
      number: this.#number,
      from: range.from > removedTick ? range.from : removedTick,
      to: range.to < lastTick ? range.to : lastTick,
      limitBytes: range.limitBytes,
      maxBytes: range.maxBytes,
      accept: range.accept,
    };
    if (bounded.from < bounded.to) {
      const page = (await this.#tip.page(bounded)) ?? (await this.#readStore(bounded));
      if (!page.more && bounded.to === lastTick) this.#tip.begin(lastTick);
      return page;
    }
    if (bounded.from === lastTick) this.#tip.begin(lastTick);
    return pageOf([], bounded);
  }

  #readStore(range: PageRange): Promise<Page> {
    this.#storeReads++;
    return readPage(this.#store.level, range);
  }

  /** The newest event up to `to`; undefined when there is none. @throws ServiceError storageDamaged */
  async lastEntry(to: Tick): Promise<{ tick: Tick; type: number; transaction: Tick } | undefined> {
    const { lastTick, removedTick } = this.state;
    const number = this.#number;
    const found = await readLastEntry(this.#store.level, {
      space: Space.changelog,
      number,
      to: to < lastTick ? to : lastTick,
    });
    return found && found.tick > removedTick ? found : undefined;
  }

  /**
   * Resolves when an event above `tick` is there or one that is missing is known, the time is over, the
   * signal aborts, or the database is dropped.
   */
  waitAbove(tick: Tick, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => this.state.lastTick > tick || this.holeAt > tick || this.#dropped;
    if (isOver() || timeoutMs <= 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        const at = this.#waiters.indexOf(check);
        if (at >= 0) this.#waiters.splice(at, 1);
        resolve();
      };
      const check = (): boolean => {
        const over = isOver();
        if (over) done();
        return over;
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done);
      this.#waiters.push(check);
    });
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    // Taken out together: one by one, a thousand of them would be looked for a thousand times.
    this.#waiters = [];
    for (const check of waiters) if (!check()) this.#waiters.push(check);
  }

  #appendLoggerEvent(tx: WriteTx, type: number, lastTick: Tick): void {
    const log = this.begin(tx);
    log.append(
      { tick: tx.drawTick(), type, collection: 0, transaction: 0n },
      `"type":${type},"lastTick":"${lastTick}"}\n`,
    );
    log.end();
  }

  #add(tx: WriteTx, addition: LogAddition): void {
    const state = this.#state.read(tx);
    const full = needsNoMerging(addition.bytes, this.#commitsSinceMerge);
    const commits = this.#state.isChangedIn(tx) ? 0 : 1;
    // Spelled out: a spread whose names are given again is made by the slow way, and this runs once a write.
    this.#state.write(tx, {
      lastTick: addition.lastTick,
      firstTick: state.firstTick === 0n ? addition.firstTick : state.firstTick,
      removedTick: state.removedTick,
      holeAt: state.holeAt,
      events: state.events + addition.events,
      bytes: state.bytes + addition.bytes,
      mergedTick: full ? addition.lastTick : state.mergedTick,
      unlogged: state.unlogged,
      unloggedRemote: state.unloggedRemote,
    });
    tx.afterCommit(() => {
      this.#totalEvents += addition.events;
      this.#loggedBytes += addition.bytes;
      if (full) {
        this.#commitsSinceMerge = 0;
        this.#bytesSinceMerge.clear();
      } else {
        this.#commitsSinceMerge += commits;
        this.#bytesSinceMerge.add(addition.bytes, commits === 1);
      }
      this.#wake();
    });
  }
}
