import type { WriteTx } from './write-tx.ts';

/** What a group needs to write a state. */
export interface StateOwner {
  readonly key: Buffer;
  encode(value: object): Buffer;
  /** Takes the value for committed. */
  show(value: object): void;
}

/** States a group has changed, by their owners. */
export type States = Map<StateOwner, object>;

/**
 * A small record that nearly every request changes, such as the figures of a collection: kept decoded in
 * memory as committed, and encoded once a group however many requests of it change it.
 */
export class StoredState<T extends object> implements StateOwner {
  readonly key: Buffer;
  readonly #encode: (key: Buffer, value: T) => Buffer;
  #committed: T;

  /**
   * @param options.key nothing else writes it
   * @param options.committed what is stored there, or stands for nothing being stored
   */
  constructor(options: { key: Buffer; committed: T; encode: (key: Buffer, value: T) => Buffer }) {
    this.key = options.key;
    this.#committed = options.committed;
    this.#encode = options.encode;
  }

  /** As last committed. */
  get committed(): T {
    return this.#committed;
  }

  /** As of a transaction, which may be ahead of what is committed. */
  read(tx: WriteTx): T {
    return (tx.pendingState(this) as T | undefined) ?? this.#committed;
  }

  /** Whether the batch has changed it already. */
  isChangedIn(tx: WriteTx): boolean {
    return tx.hasState(this);
  }

  /** Replaces the state, shown once committed. The value must not be changed afterwards. */
  write(tx: WriteTx, value: T): void {
    tx.putState(this, value);
  }

  show(value: T): void {
    this.#committed = value;
  }

  encode(value: T): Buffer {
    return this.#encode(this.key, value);
  }
}
