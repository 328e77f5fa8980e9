/** Settings of a database's logger (contract 2.5). */
export interface LoggerConfig {
  /** Start the logger when the server starts. */
  readonly autoStart: boolean;
  /** Also log what this server's own applier does. */
  readonly logRemoteChanges: boolean;
  /** Cap on the events held, 0 for none. */
  readonly maxEvents: number;
  /** Cap on the bytes held, 0 for none. */
  readonly maxEventsSize: number;
  /**
   * Addition: for a follower that has asked for the log within so many seconds, what it has not read yet stays,
   * also above the caps. 0: the caps decide.
   */
  readonly retainForClients: number;
  /** Addition: cap on the bytes held for followers, 0 for none. When it is reached the oldest events go after all. */
  readonly retainForClientsSize: number;
}

/** Below these a cap is refused with 1409; 0 means no cap. */
export const MIN_MAX_EVENTS = 4096;
export const MIN_MAX_EVENTS_SIZE = 1_048_576;

export const DEFAULT_LOGGER_CONFIG: LoggerConfig = {
  autoStart: false,
  logRemoteChanges: false,
  maxEvents: 1_048_576,
  maxEventsSize: 134_217_728,
  retainForClients: 0,
  retainForClientsSize: 1_073_741_824,
};
