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
}

/** Below these a cap is refused with 1409; 0 means no cap. */
export const MIN_MAX_EVENTS = 4096;
export const MIN_MAX_EVENTS_SIZE = 1_048_576;

export const DEFAULT_LOGGER_CONFIG: LoggerConfig = {
  autoStart: false,
  logRemoteChanges: false,
  maxEvents: 1_048_576,
  maxEventsSize: 134_217_728,
};
