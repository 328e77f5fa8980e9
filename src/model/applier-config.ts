/**
 * Settings of a database's applier (contract 5.1). Times are in seconds, as on the wire. Fields of
 * generations whose subject does not exist here are kept and given back, nothing more; they say so.
 */
export interface ApplierConfig {
  /** Where the leader listens; without one the applier cannot start. */
  readonly endpoint?: string;
  /** Database of the leader. */
  readonly database?: string;
  readonly username?: string;
  /** Never shown. */
  readonly password?: string;
  /** Never shown. Sent where there is no user name. */
  readonly jwt?: string;
  readonly requestTimeout: number;
  readonly connectTimeout: number;
  /** Failures in a row after which the applier gives up; 0 for never. */
  readonly maxConnectRetries: number;
  /** Bytes of lines asked for at once; 0 for what suits the moment. */
  readonly chunkSize: number;
  /** Start when the server starts. */
  readonly autoStart: boolean;
  /** Ask an idle leader less and less often; of no use where a request can wait for news. */
  readonly adaptivePolling: boolean;
  /** Events that may fail in one run of the applier before it stops. */
  readonly ignoreErrors: number;
  /** Kept only. */
  readonly sslProtocol: number;
  /** Copy everything anew when the place is lost, or the leader is another one. */
  readonly autoResync: boolean;
  /** How often, with less than two minutes between. */
  readonly autoResyncRetries: number;
  /** Follow collections whose names start with `_`, too. */
  readonly includeSystem: boolean;
  /** Stop with 1414 at a gap in the leader's log. Always so for leaders that know their gaps surely. */
  readonly requireFromPresent: boolean;
  /** Write every page and every step of a copy into the log. */
  readonly verbose: boolean;
  /** Kept only: a copy is always made beside what is there. */
  readonly incremental: boolean;
  /** Kept only: the id is always looked at first. */
  readonly useCollectionId: boolean;
  /** What `restrictCollections` is a list of: all that is followed, or all that is not. */
  readonly restrictType: '' | 'include' | 'exclude';
  readonly restrictCollections: readonly string[];
  /** Longest pause between two attempts to reach the leader. */
  readonly connectionRetryWaitTime: number;
  /** How long the leader may stay silent before a page of a collection; 0 for ever. */
  readonly initialSyncMaxWaitTime: number;
  /** Pause after an answer without news, for leaders that cannot hold a request. */
  readonly idleMinWaitTime: number;
  /** What that pause grows to. */
  readonly idleMaxWaitTime: number;
  /** Kept only. */
  readonly includeFoxxQueues: boolean;
  /** Kept only. */
  readonly lockTimeoutRetries: number;
  /** Longest answer taken from the leader, in bytes. */
  readonly maxPacketSize: number;
  /** Kept only. */
  readonly skipCreateDrop: boolean;
  /** Let clients write to the collections that are followed. Own addition. */
  readonly allowWrites: boolean;
  /** Go on over a gap in the log of a leader of our kind. Own addition. */
  readonly allowLogGap: boolean;
}

/** What a database starts with. */
export const DEFAULT_APPLIER_CONFIG: ApplierConfig = Object.freeze({
  requestTimeout: 300,
  connectTimeout: 10,
  maxConnectRetries: 100,
  chunkSize: 0,
  autoStart: false,
  adaptivePolling: true,
  ignoreErrors: 0,
  sslProtocol: 0,
  autoResync: false,
  autoResyncRetries: 2,
  includeSystem: true,
  requireFromPresent: false,
  verbose: false,
  incremental: false,
  useCollectionId: true,
  restrictType: '',
  restrictCollections: Object.freeze([]),
  connectionRetryWaitTime: 15,
  initialSyncMaxWaitTime: 300,
  idleMinWaitTime: 1,
  idleMaxWaitTime: 2.5,
  includeFoxxQueues: false,
  lockTimeoutRetries: 0,
  maxPacketSize: 536_870_912,
  skipCreateDrop: false,
  allowWrites: false,
  allowLogGap: false,
});
