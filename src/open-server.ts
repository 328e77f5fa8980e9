import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { destination, pino } from 'pino';
import { LevelledLogger } from './base/levelled-logger.ts';
import type { Logger } from './base/logger.ts';
import type { ServerConfig } from './config/server-config.ts';
import { configFromOptions, type ServerOptions } from './config/server-options.ts';
import { LOG_OPTIONS } from './log-options.ts';
import { type RunningServer, startServer } from './server.ts';
import { readVersion } from './version.ts';

/** How a server inside a program is to run. */
export type OpenServerOptions = ServerOptions & {
  /**
   * Takes the lines of the server's log; pino's loggers fit as they are, and decide themselves what they
   * write. Without one, `logLevel` says what goes to standard error; nothing by default.
   */
  readonly logger?: Logger;
};

/** A server inside a program. */
export interface OpenServer extends RunningServer, AsyncDisposable {
  /** Where the data lies. */
  readonly databaseDirectory: string;
  /**
   * Finishes requests, stops appliers and background work, closes the store, and removes the data when it
   * lies in a directory of the server's own. Idempotent.
   */
  stop(): Promise<void>;
}

const STDERR_FD = 2;

/**
 * Starts a server inside this program; resolves when it listens. Several can run side by side, each with a
 * directory of its own. It installs no signal handlers: the program stops it.
 *
 * @param options.databaseDirectory where the data lies and stays; when it is not given, a directory
 *   for temporary files that is removed when the server stops
 * @throws ConfigError with everything that is wrong with the options; ServiceError storeLocked, storageDamaged,
 *   unknownFormat, or badParameter for a directory that holds something else; a listen error with its `code`. Nothing is left running then.
 */
export async function openServer(options: OpenServerOptions = {}): Promise<OpenServer> {
  const { logger, ...serverOptions } = options;
  // Checked before anything is made; the directory itself can not be wrong.
  const checked = configFromOptions(serverOptions, tmpdir());
  const isOwn = serverOptions.databaseDirectory === undefined;
  const databaseDirectory = isOwn
    ? await mkdtemp(join(tmpdir(), 'ticklog-'))
    : checked.databaseDirectory;
  const removeOwn = async (): Promise<void> => {
    if (isOwn) await rm(databaseDirectory, { recursive: true, force: true });
  };
  let server: RunningServer;
  try {
    server = await startServer(
      { logger: logger ?? newLogger(checked.logLevel), version: readVersion() },
      { ...checked, databaseDirectory },
    );
  } catch (error) {
    await removeOwn();
    throw error;
  }
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= server.stop().finally(removeOwn));
  const { endpoint, secure, url, serverId } = server;
  return { endpoint, secure, url, serverId, databaseDirectory, stop, [Symbol.asyncDispose]: stop };
}

/** To standard error, which is not touched before there is a line: the level can be raised later. */
function newLogger(level: ServerConfig['logLevel']): Logger {
  let stream: ReturnType<typeof destination> | undefined;
  const write = (line: string): void => {
    stream ??= destination({ fd: STDERR_FD, sync: true });
    stream.write(line);
  };
  return LevelledLogger.over(pino(LOG_OPTIONS, { write }), level);
}
