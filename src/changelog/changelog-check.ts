import { ServiceError } from '../model/errors.ts';
import { MarkerType } from '../model/marker.ts';
import type { Tick } from '../model/tick.ts';
import type { Block } from '../storage/block.ts';
import { walkBlocks } from '../storage/block-walk.ts';
import type { Findings } from '../storage/findings.ts';
import { Space, numberRange } from '../storage/keys.ts';
import type { StoreReader } from '../storage/store-reader.ts';
import { EMPTY_LOG, type LogState, decodeLogState, logStateKey } from './log-state.ts';

/**
 * Checks that the log of a database holds what its state says, and whole transactions.
 * @returns how many events it holds
 */
export async function checkChangelog(
  reader: StoreReader,
  database: { readonly number: number; readonly name: string },
  findings: Findings,
  signal: AbortSignal,
): Promise<number> {
  const place = `log of database ${database.name}`;
  const key = logStateKey(database.number);
  const value = await reader.get(key);
  let state: LogState;
  try {
    state = value ? decodeLogState(key, value) : EMPTY_LOG;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    findings.add(place, `its state is damaged: ${error.message}`);
    return 0;
  }
  const walk = new LogWalk(state.removedTick, (what) => {
    findings.add(place, what);
  });
  const range = numberRange(Space.changelog, database.number);
  for await (const block of walkBlocks(reader, range, { place, findings })) {
    signal.throwIfAborted();
    walk.add(block);
  }
  walk.compare(state);
  return walk.events;
}

class LogWalk {
  events = 0;
  readonly #removedTick: Tick;
  readonly #add: (what: string) => void;
  #bytes = 0;
  #firstTick: Tick = 0n;
  #lastTick: Tick = 0n;
  /** The transaction that it is in, 0 for none. */
  #open = 0n;

  constructor(removedTick: Tick, add: (what: string) => void) {
    this.#removedTick = removedTick;
    this.#add = add;
  }

  add(block: Block): void {
    for (let i = block.firstAbove(this.#removedTick); i < block.count; i++) {
      const tick = block.tick(i);
      if (this.events === 0) this.#firstTick = tick;
      this.events++;
      this.#bytes += block.lineEnd(i) - block.lineStart(i);
      this.#lastTick = tick;
      this.#follow(tick, block.type(i), block.transaction(i));
    }
  }

  compare(state: LogState): void {
    if (this.#open !== 0n) this.#add(`transaction ${this.#open} does not end`);
    const found = {
      events: this.events,
      bytes: this.#bytes,
      firstTick: this.#firstTick,
      // It stays when everything has been removed.
      lastTick: this.events === 0 ? state.lastTick : this.#lastTick,
    };
    for (const name of ['events', 'bytes', 'firstTick', 'lastTick'] as const) {
      if (state[name] !== found[name]) {
        this.#add(`its state says ${name} ${state[name]}, it has ${found[name]}`);
      }
    }
  }

  /** The lines of a transaction stand together. */
  #follow(tick: Tick, type: number, transaction: bigint): void {
    const begins = type === MarkerType.transactionStart;
    if (begins ? this.#open !== 0n : transaction !== this.#open) {
      this.#add(`a transaction is not whole at tick ${tick}`);
    }
    const ends = type === MarkerType.transactionCommit || type === MarkerType.transactionAbort;
    this.#open = ends ? 0n : transaction;
  }
}
