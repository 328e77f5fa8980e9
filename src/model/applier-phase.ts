/** What an applier is doing. Whether it runs, on the wire, is derived from this. */
export type ApplierPhase =
  | 'stopped'
  /** Looking whether the leader is the right one. */
  | 'starting'
  /** Copying everything anew. */
  | 'syncing'
  | 'tailing'
  /** The leader cannot be reached; it is tried again and again. */
  | 'backoff'
  /** Told to stop, not yet at rest. */
  | 'stopping'
  /** At rest because of an error. */
  | 'failed';
