/** What programs import from 'ticklog'; everything else is the package's own. */
export type { Logger } from './base/logger.ts';
export type { ApplierClient } from './client/applier-client.ts';
export type { BarriersClient, BarrierSettings } from './client/barriers-client.ts';
export { PlaceLostError, TicklogError } from './client/client-error.ts';
export {
  type Client,
  connect,
  type ConnectOptions,
  type DatabasesClient,
  type VersionInfo,
} from './client/client.ts';
export type { CollectionClient } from './client/collection-client.ts';
export type {
  Checksum,
  CollectionChange,
  CollectionFigures,
  CollectionInfo,
  CollectionProperties,
  IndexInfo,
  NewCollection,
  NewIndex,
} from './client/collection-types.ts';
export type { DatabaseClient } from './client/database-client.ts';
export {
  type DocumentRef,
  type ImportOptions,
  type ImportResult,
  type InsertManyOptions,
  type InsertOptions,
  isRejected,
  type NewDocument,
  type ReadOptions,
  type Rejected,
  type RemoveManyOptions,
  type RemoveOptions,
  type ReplaceManyOptions,
  type ReplaceOptions,
  type Stored,
  type UpdateManyOptions,
  type UpdateOptions,
  type WriteOptions,
  type Written,
} from './client/document-types.ts';
export type { DumpOptions } from './client/dump-reader.ts';
export type {
  FeedEntry,
  InsertFeedEntry,
  RemoveFeedEntry,
  UpdateFeedEntry,
} from './client/feed-entry.ts';
export type { FollowOptions } from './client/feed-reader.ts';
export type { Job, JobsClient } from './client/job.ts';
export type { ChunkOptions, KeyChunk, KeyList } from './client/key-list.ts';
export type {
  CollectionDropEntry,
  CollectionEntry,
  CollectionRenameEntry,
  DocumentEntry,
  DumpEntry,
  IndexDropEntry,
  IndexEntry,
  LogEntry,
  LoggedCollection,
  LoggerEntry,
  RemovalEntry,
  StoredDocument,
  TransactionEntry,
} from './client/log-entry.ts';
export type { LogOptions } from './client/log-reader.ts';
export type { LoggerClient } from './client/logger-client.ts';
export type {
  ApplierChanges,
  ApplierSettings,
  ApplierState,
  ApplierStatus,
  FollowerStatus,
  Inventory,
  LeaderSelection,
  LoggerStatus,
  LogState,
  OpenTransactions,
  PastError,
  SyncResult,
  TickRange,
} from './client/replication-types.ts';
export type {
  RestoreClient,
  RestoreCollectionOptions,
  RestoreDataOptions,
  RestoredCollection,
  RestoredEntry,
  RestoreIndexesOptions,
} from './client/restore-client.ts';
export type { RequestOptions } from './client/scope.ts';
export type {
  Transaction,
  TransactionCollections,
  TransactionOptions,
} from './client/transaction.ts';
export { ConfigError } from './config/server-config.ts';
export type { SyncNumbers, UnfinishedSync } from './model/sync-numbers.ts';
export type { VerifyNumbers } from './model/verify-numbers.ts';
export type { WorkNumbers } from './model/work-numbers.ts';
export type { TlsTrust } from './follower/leader-tls.ts';
export { CollectionType, type IndexDefinition, type KeyOptions } from './model/collection.ts';
export { ServiceError } from './model/errors.ts';
export type { LoggerConfig } from './model/logger-config.ts';
export { MarkerType } from './model/marker.ts';
export type { Tick } from './model/tick.ts';
export { openServer, type OpenServer, type OpenServerOptions } from './open-server.ts';
