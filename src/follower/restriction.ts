import { isExcludedFromReplication, isSystemName } from '../model/names.ts';

/** `include` = only the named collections, `exclude` = all but them, '' = all (contract 3.7). */
export type RestrictType = '' | 'include' | 'exclude';

/** Which of a leader's collections are copied and followed. */
export class Restriction {
  readonly type: RestrictType;
  /** Sorted, each once. */
  readonly names: readonly string[];
  readonly includeSystem: boolean;
  readonly #names: ReadonlySet<string>;

  constructor(type: RestrictType, names: readonly string[], includeSystem: boolean) {
    this.#names = new Set(names);
    this.type = type;
    this.names = [...this.#names].sort();
    this.includeSystem = includeSystem;
  }

  /** Never true for what takes no part in replication at all (contract 2.7). */
  accepts(collectionName: string): boolean {
    if (isExcludedFromReplication(collectionName)) return false;
    if (!this.includeSystem && isSystemName(collectionName)) return false;
    switch (this.type) {
      case '':
        return true;
      case 'include':
        return this.#names.has(collectionName);
      case 'exclude':
        return !this.#names.has(collectionName);
    }
  }

  /** Whether both accept the same collections, whatever there will be. */
  equals(other: {
    readonly type: RestrictType;
    readonly names: readonly string[];
    readonly includeSystem: boolean;
  }): boolean {
    return (
      this.type === other.type &&
      this.includeSystem === other.includeSystem &&
      (this.type === '' || this.names.join('\n') === other.names.join('\n'))
    );
  }
}
