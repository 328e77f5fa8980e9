import type { Logger } from '../../src/base/logger.ts';

export interface LoggedLine {
  readonly level: string;
  /** With that of the loggers it was given through. */
  readonly context: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A logger that keeps what it is given. */
export function recordingLogger(): { logger: Logger; lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const loggerWith = (outer: object): Logger => {
    const at = (level: string) => (context: object, message: string) => {
      lines.push({ level, context: { ...outer, ...context }, message });
    };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (context) => loggerWith({ ...outer, ...context }),
    };
  };
  return { logger: loggerWith({}), lines };
}
