/** What a collection holds; the numbers are the wire's (contract 9.2). */
export const CollectionType = { document: 2, edge: 3 } as const;

/** 2 for documents, 3 for edges. */
export type CollectionType = (typeof CollectionType)[keyof typeof CollectionType];

/** Journal size of a collection that asks for none, in bytes (contract 3.2.1). */
export const DEFAULT_JOURNAL_SIZE = 33_554_432;

/** Smallest journal size a collection may ask for, in bytes; below it: 1206. */
export const MIN_JOURNAL_SIZE = 1_048_576;

/** Storage format number that 1.4 leaders show and 1.4 followers expect in `version`. */
export const COLLECTION_VERSION = 4;

/** How keys are made when a document brings none (contract 3.2.1, 9.3). */
export interface KeyOptions {
  /** `traditional` and `autoincrement` are generated here; others only come from leaders. */
  readonly type: string;
  readonly allowUserKeys: boolean;
  readonly offset?: number;
  readonly increment?: number;
}

/**
 * The parameters of a collection as inventories and collection events carry them (contract
 * 3.2.1), without the wire's order.
 */
export interface CollectionParameters {
  readonly version: number;
  readonly type: CollectionType;
  /** The collection's id on the server that names it: a string of digits. */
  readonly cid: string;
  readonly deleted: boolean;
  readonly doCompact: boolean;
  /** Journal size in bytes; `journalSize` in the collection API. */
  readonly maximalSize: number;
  readonly name: string;
  readonly isVolatile: boolean;
  readonly waitForSync: boolean;
  /** Absent for the defaults. */
  readonly keyOptions?: KeyOptions;
  /** Attributes of other generations, kept as they came so that restoring them loses nothing. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/**
 * An index as inventories and index events carry it (contract 3.2.2). Attributes special to a
 * type (`minLength`, `geoJson`, `size`, ...) stand beside the named ones.
 */
export interface IndexDefinition {
  /** Bare digits; the index API puts `<collection>/` before them. */
  readonly id: string;
  readonly type: string;
  readonly unique: boolean;
  /** Attribute paths. Absent on `cap`; pairs instead of strings on `bitarray`. */
  readonly fields?: readonly unknown[];
  readonly sparse?: boolean;
  readonly [attribute: string]: unknown;
}

const KNOWN_PARAMETERS: ReadonlySet<string> = new Set([
  ...['version', 'type', 'cid', 'deleted', 'doCompact', 'maximalSize', 'name', 'isVolatile'],
  ...['waitForSync', 'keyOptions'],
  // Other spellings of the above, and the indexes, which some generations put in here.
  ...['id', 'journalSize', 'indexes'],
]);

/** Whether the number names a collection type. */
export function isCollectionType(type: unknown): type is CollectionType {
  return type === CollectionType.document || type === CollectionType.edge;
}

/**
 * The object that inventories, 2000 and 2003 events print: the known attributes in the order of
 * 1.4, then whatever a leader of another generation had sent besides.
 */
export function parametersToWire(parameters: CollectionParameters): Record<string, unknown> {
  const { extra, ...known } = parameters;
  return {
    version: known.version,
    type: known.type,
    cid: known.cid,
    deleted: known.deleted,
    doCompact: known.doCompact,
    maximalSize: known.maximalSize,
    name: known.name,
    isVolatile: known.isVolatile,
    waitForSync: known.waitForSync,
    ...(known.keyOptions === undefined ? {} : { keyOptions: known.keyOptions }),
    ...extra,
  };
}

/**
 * Reads collection parameters of any leader generation. Absent attributes get their defaults;
 * `cid` falls back to `id`, `maximalSize` to `journalSize`; unknown attributes go to `extra`.
 *
 * @returns undefined when the value is no object, or has no name, type or id
 */
export function parametersFromWire(value: unknown): CollectionParameters | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const wire = value as Record<string, unknown>;
  const { name, type } = wire;
  const cid = wire['cid'] ?? wire['id'];
  if (typeof name !== 'string' || name === '' || !isCollectionType(type)) return undefined;
  if (typeof cid !== 'string' || !/^[0-9]{1,20}$/.test(cid)) return undefined;
  const keyOptions = keyOptionsFromWire(wire['keyOptions']);
  const extra = Object.entries(wire).filter(([attribute]) => !KNOWN_PARAMETERS.has(attribute));
  return {
    version: numberOr(wire['version'], COLLECTION_VERSION),
    type,
    cid,
    deleted: wire['deleted'] === true,
    doCompact: wire['doCompact'] !== false,
    maximalSize: numberOr(wire['maximalSize'] ?? wire['journalSize'], DEFAULT_JOURNAL_SIZE),
    name,
    isVolatile: wire['isVolatile'] === true,
    waitForSync: wire['waitForSync'] === true,
    ...(keyOptions === undefined ? {} : { keyOptions }),
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
}

function keyOptionsFromWire(value: unknown): KeyOptions | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, allowUserKeys, offset, increment } = value as Record<string, unknown>;
  return {
    type: typeof type === 'string' ? type : 'traditional',
    allowUserKeys: allowUserKeys !== false,
    ...(typeof offset === 'number' ? { offset } : {}),
    ...(typeof increment === 'number' ? { increment } : {}),
  };
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback;
}
