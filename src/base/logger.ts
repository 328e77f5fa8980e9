/**
 * What the code needs of a logger; pino's loggers fit as they are. Whoever owns a loop or a request
 * logs, once; everything below it returns or throws. `obj` holds the context (database, applier,
 * tick, `err` for an error), `msg` is a fixed sentence.
 */
export interface Logger {
  debug(obj: object, msg: string): void;
  info(obj: object, msg: string): void;
  warn(obj: object, msg: string): void;
  error(obj: object, msg: string): void;
  /** A logger that adds `bindings` to each of its lines. */
  child(bindings: object): Logger;
}

function ignore(): void {
  // Saying nothing is what this logger is for.
}

/** Drops every line. For tests and for embedding programs that bring no logger. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
};
