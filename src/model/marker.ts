/** The numbers of the log events (contract 2.7, 2.8, 6.7); `type` of a line is one of them. */
export const MarkerType = {
  loggerStop: 1000,
  loggerStart: 1001,
  collectionCreate: 2000,
  collectionDrop: 2001,
  collectionRename: 2002,
  collectionChange: 2003,
  /** Never written by this server; 3.x leaders send it for a truncate. */
  collectionTruncate: 2004,
  indexCreate: 2100,
  indexDrop: 2101,
  /** Views, which leaders from 3.4 on have. Never written by this server, and passed over. */
  viewCreate: 2110,
  viewDrop: 2111,
  viewChange: 2112,
  transactionStart: 2200,
  transactionCommit: 2201,
  /** Never written by this server: only committed transactions enter the log. */
  transactionAbort: 2202,
  document: 2300,
  edge: 2301,
  remove: 2302,
} as const;

/** Any event number we know. */
export type MarkerType = (typeof MarkerType)[keyof typeof MarkerType];

/** Insert, replace or remove of one document or edge. */
export type DocumentMarkerType =
  typeof MarkerType.document | typeof MarkerType.edge | typeof MarkerType.remove;

/** A document event that carries `data`. */
export type UpsertMarkerType = typeof MarkerType.document | typeof MarkerType.edge;

/** Start and stop of the logger. */
export type LoggerMarkerType = typeof MarkerType.loggerStop | typeof MarkerType.loggerStart;

/** Begin, commit and abort of a transaction. */
export type TransactionMarkerType =
  | typeof MarkerType.transactionStart
  | typeof MarkerType.transactionCommit
  | typeof MarkerType.transactionAbort;

/** Everything that changes a collection or an index rather than a document. */
export type DdlMarkerType = Exclude<
  MarkerType,
  DocumentMarkerType | LoggerMarkerType | TransactionMarkerType
>;

const KNOWN: ReadonlySet<number> = new Set(Object.values(MarkerType));

/** Whether the number names an event we know; others are `unexpected marker` (1406). */
export function isMarkerType(type: number): type is MarkerType {
  return KNOWN.has(type);
}

/** Whether the event concerns one document: 2300, 2301 or 2302. */
export function isDocumentMarker(type: number): type is DocumentMarkerType {
  return type === MarkerType.document || type === MarkerType.edge || type === MarkerType.remove;
}

/** Whether the event begins, commits or aborts a transaction: 2200, 2201 or 2202. */
export function isTransactionMarker(type: number): type is TransactionMarkerType {
  return (
    type === MarkerType.transactionStart ||
    type === MarkerType.transactionCommit ||
    type === MarkerType.transactionAbort
  );
}

/** Whether the event is a start or stop of the logger: 1000 or 1001. */
export function isLoggerMarker(type: number): type is LoggerMarkerType {
  return type === MarkerType.loggerStop || type === MarkerType.loggerStart;
}
