import type { CollectionType, KeyOptions } from '../model/collection.ts';
import type { Tick } from '../model/tick.ts';

/** What is told of a collection wherever it is shown. */
export interface CollectionInfo {
  readonly id: string;
  readonly name: string;
  readonly isSystem: boolean;
  /** 2 unloaded, 3 loaded, 4 being unloaded. */
  readonly status: number;
  /** See `CollectionType`. */
  readonly type: CollectionType;
}

export interface CollectionProperties extends CollectionInfo {
  /** Every write is safe on disk before it is answered. */
  readonly waitForSync: boolean;
  readonly isVolatile: boolean;
  readonly keyOptions: KeyOptions;
  readonly doCompact: boolean;
  /** In bytes. */
  readonly journalSize: number;
}

/** What can be changed of a collection later. */
export interface CollectionChange {
  readonly waitForSync?: boolean | undefined;
  readonly doCompact?: boolean | undefined;
  /** In bytes. */
  readonly journalSize?: number | undefined;
}

export interface NewCollection extends CollectionChange {
  /** `CollectionType.document` by default. */
  readonly type?: CollectionType | undefined;
  /** Must be true for a name that begins with `_`. */
  readonly isSystem?: boolean | undefined;
  readonly isVolatile?: boolean | undefined;
  readonly keyOptions?: Partial<KeyOptions> | undefined;
}

/** Sizes in bytes. */
export interface CollectionFigures {
  readonly alive: { readonly count: number; readonly size: number };
  readonly dead: { readonly count: number; readonly size: number };
  readonly datafiles: { readonly count: number; readonly fileSize: number };
  readonly indexes: { readonly count: number };
  readonly lastTick: Tick;
}

export interface Checksum {
  /** Equal for equal contents, on any server of this kind. */
  readonly checksum: number;
  readonly revision: Tick;
}

/** An index as it is shown, with whatever else its type has. */
export interface IndexInfo {
  /** `<collection>/<digits>` */
  readonly id: string;
  readonly type: string;
  readonly unique: boolean;
  readonly fields?: readonly unknown[];
  readonly sparse?: boolean;
  readonly [attribute: string]: unknown;
}

/** An index to be created. */
export interface NewIndex {
  readonly type: string;
  readonly fields?: readonly unknown[] | undefined;
  readonly unique?: boolean | undefined;
  readonly sparse?: boolean | undefined;
  readonly [attribute: string]: unknown;
}
