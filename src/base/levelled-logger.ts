import { type Clock, systemClock } from './clock.ts';
import { type LineLevel, LogLevels, type LogTopic } from './log-levels.ts';
import type { Logger } from './logger.ts';
import { RepeatedLines } from './repeated-lines.ts';

interface Deps {
  /** Writes all that it is given. */
  readonly logger: Logger;
  readonly levels: LogLevels;
  readonly repeated: RepeatedLines;
}

const REPEATED_EVERY_MS = 30_000;
/** Bindings that only lines about replication have. */
const OF_REPLICATION = ['applier', 'leader'];
/** What tells lines apart that have the same text. */
const TELLING = ['errorNum', 'reason', 'database', 'collection', 'step', 'key'];

/**
 * The logger of a server: writes what the levels say as of now, and of warnings and errors that are repeated one, and
 * how often it came again.
 */
export class LevelledLogger implements Logger {
  readonly #deps: Deps;
  readonly #topic: LogTopic;
  /** Of the lines of this logger, as far as repetitions go. */
  readonly #name: string;

  private constructor(deps: Deps, options: { topic: LogTopic; name: string }) {
    this.#deps = deps;
    this.#topic = options.topic;
    this.#name = options.name;
  }

  /** @param logger writes all that it is given, or decides itself */
  static over(logger: Logger, level: LineLevel, clock: Clock = systemClock): LevelledLogger {
    const repeated = new RepeatedLines({ clock }, { intervalMs: REPEATED_EVERY_MS });
    return new LevelledLogger(
      { logger, levels: new LogLevels(level), repeated },
      { topic: 'general', name: '' },
    );
  }

  /** Those of this logger and of all its children. */
  get levels(): LogLevels {
    return this.#deps.levels;
  }

  /** Writes what is still being counted. */
  close(): void {
    this.#deps.repeated.close();
  }

  debug(obj: object, msg: string): void {
    if (this.#writes('debug')) this.#deps.logger.debug(obj, msg);
  }

  info(obj: object, msg: string): void {
    if (this.#writes('info')) this.#deps.logger.info(obj, msg);
  }

  warn(obj: object, msg: string): void {
    this.#limited('warn', obj, msg);
  }

  error(obj: object, msg: string): void {
    this.#limited('error', obj, msg);
  }

  child(bindings: object): Logger {
    const isReplication = OF_REPLICATION.some((name) => name in bindings);
    const topic = isReplication ? 'replication' : this.#topic;
    const name = `${this.#name} ${JSON.stringify(bindings)}`;
    const logger = this.#deps.logger.child(bindings);
    return new LevelledLogger({ ...this.#deps, logger }, { topic, name });
  }

  #writes(level: LineLevel): boolean {
    return this.#deps.levels.writes(this.#topic, level);
  }

  #limited(level: 'warn' | 'error', obj: object, msg: string): void {
    if (!this.#writes(level)) return;
    const { logger, repeated } = this.#deps;
    repeated.note(`${level} ${msg} ${this.#name} ${tellingOf(obj)}`, (count) => {
      logger[level](count > 0 ? { ...obj, repeated: count } : obj, msg);
    });
  }
}

function tellingOf(obj: object): string {
  const fields = obj as Readonly<Record<string, unknown>>;
  const { err } = fields;
  const error = err instanceof Error ? err.message : '';
  return `${error} ${JSON.stringify(TELLING.map((name) => fields[name]))}`;
}
