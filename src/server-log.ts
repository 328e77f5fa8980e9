import type { WriteStream } from 'node:tty';
import { destination, pino } from 'pino';
import type { Logger } from './base/logger.ts';
import { readableLine } from './cli/readable-log.ts';
import type { ServerConfig } from './config/server-config.ts';

/** JSON lines on the error stream of the process, or readable ones where that is a terminal. */
export function newServerLogger(
  stderr: WriteStream & { readonly fd: number },
  { level }: { level: ServerConfig['logLevel'] },
): Logger {
  if (stderr.isTTY) {
    const write = (line: string): boolean => stderr.write(readableLine(line));
    return pino({ level }, { write });
  }
  const stream = destination({ fd: stderr.fd, sync: true });
  // A server does not end because nobody reads its log any more.
  stream.on('error', () => undefined);
  return pino({ level }, stream);
}
