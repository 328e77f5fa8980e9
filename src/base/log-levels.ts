/** From the least important to none at all. */
export const LINE_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

export type LineLevel = (typeof LINE_LEVELS)[number];

/** What lines are about: what has to do with following and copying, and all else. */
export const LOG_TOPICS = ['general', 'replication'] as const;

export type LogTopic = (typeof LOG_TOPICS)[number];

/** The least important lines that are written, for each topic. Can be changed while the server runs. */
export class LogLevels {
  readonly #levels: Map<LogTopic, LineLevel>;

  constructor(level: LineLevel) {
    this.#levels = new Map(LOG_TOPICS.map((topic) => [topic, level]));
  }

  of(topic: LogTopic): LineLevel {
    return this.#levels.get(topic) ?? 'info';
  }

  set(topic: LogTopic, level: LineLevel): void {
    this.#levels.set(topic, level);
  }

  /** Whether lines of a level are written. */
  writes(topic: LogTopic, level: LineLevel): boolean {
    return LINE_LEVELS.indexOf(level) >= LINE_LEVELS.indexOf(this.of(topic));
  }
}
