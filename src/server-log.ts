import type { WriteStream } from 'node:tty';
import { destination, pino } from 'pino';
import { LevelledLogger } from './base/levelled-logger.ts';
import type { Logger } from './base/logger.ts';
import { readableLine } from './cli/readable-log.ts';
import type { ServerConfig } from './config/server-config.ts';
import { LOG_OPTIONS } from './log-options.ts';

/** JSON lines on the error stream of the process, or readable ones where that is a terminal. */
export function newServerLogger(
  stderr: WriteStream & { readonly fd: number },
  { level }: { level: ServerConfig['logLevel'] },
): LevelledLogger {
  return LevelledLogger.over(stderr.isTTY ? readableLogger(stderr) : jsonLogger(stderr.fd), level);
}

function readableLogger(stderr: WriteStream): Logger {
  return pino(LOG_OPTIONS, { write: (line) => stderr.write(readableLine(line)) });
}

/** One that writes JSON lines to a file descriptor. */
function jsonLogger(fd: number): Logger {
  const stream = destination({ fd, sync: true });
  // A server does not end because nobody reads its log any more.
  stream.on('error', () => undefined);
  return pino(LOG_OPTIONS, stream);
}
