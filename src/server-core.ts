import type { RequestListener } from 'node:http';
import type { ServiceError } from './model/errors.ts';

/** All that stands between a data directory and the listener, as long as the store is open. */
export interface ServerCore {
  readonly listener: RequestListener;
  readonly serverId: string;
  /** See `Store.failed`. */
  readonly failed: Promise<ServiceError>;
  /** Databases whose appliers run. */
  runningAppliers(): readonly string[];
  /** Ends long polls; requests that go on become answers of a server that stops. */
  beginStop(): void;
  /** Ends what a stop has waited long enough for. */
  endRequests(): void;
  /** Stops everything behind the listener, and closes the store; after `beginStop`. */
  close(): Promise<void>;
}

/** @param resume databases whose appliers are to be started besides those that start by themselves */
export type OpenCore = (resume: readonly string[]) => Promise<ServerCore>;
