import { type Server, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { LevelledLogger } from './base/levelled-logger.ts';
import { once } from './base/once.ts';
import { sleep } from './base/sleep.ts';
import type { ServerConfig } from './config/server-config.ts';
import { Connections, listenerOptions } from './http/connections.ts';
import { RequestFigures } from './http/request-figures.ts';
import { readServerTls } from './http/server-tls.ts';
import { type StartDeps, openCore } from './open-core.ts';
import type { OpenCore } from './server-core.ts';
import { StoreKeeper } from './store-keeper.ts';

/** Requests still running when a stop has waited this long lose their connection. */
const STOP_GRACE_MS = 3000;
/** Between two looks whether a store that failed can be written again. */
const PROBE_INTERVAL_MS = 1000;

export interface RunningServer {
  /** Where it really listens. */
  readonly endpoint: { readonly host: string; readonly port: number };
  /** Whether it takes connections by TLS only. */
  readonly secure: boolean;
  /** `http://host:port`, or `https://`. */
  readonly url: string;
  readonly serverId: string;
  /**
   * Is no longer available at once (`/_admin/server/availability`); after `stopDelayMs` takes no more connections,
   * finishes requests or cuts them off after 3 s, stops appliers and background work, closes the store. Idempotent.
   */
  stop(): Promise<void>;
}

/**
 * Starts a server: store, catalogue, loggers, background work, appliers that start by themselves,
 * and last the listener.
 * @param deps.version of this program, shown by `/_api/version?details=true`
 * @throws ServiceError storeLocked, storageDamaged or unknownFormat, badParameter for a file of a secret or of TLS that
 * cannot be used, and for a directory of something else; a listen error with its `code`.
 * Nothing is left running then.
 */
export async function startServer(deps: StartDeps, config: ServerConfig): Promise<RunningServer> {
  let { newServerId } = config;
  // One that is a program's own decides itself what is written.
  const logger =
    deps.logger instanceof LevelledLogger
      ? deps.logger
      : LevelledLogger.over(deps.logger, 'debug', deps.clock);
  const kept = { levels: logger.levels, requests: new RequestFigures() };
  const leaving = new AbortController();
  const open: OpenCore = async (resume) => {
    const { signal } = leaving;
    const core = await openCore(
      { ...deps, logger },
      { ...config, newServerId },
      { resume, leaving: signal, ...kept },
    );
    newServerId = false;
    return core;
  };
  const keeper = new StoreKeeper(
    { open, logger },
    { directory: config.databaseDirectory, probeIntervalMs: PROBE_INTERVAL_MS },
  );
  const { serverId } = await keeper.start();
  const closers: (() => Promise<void> | void)[] = [() => logger.close(), () => keeper.close()];
  let isListening = false;
  const stop = once(async () => {
    leaving.abort();
    if (isListening) await sleep(config.stopDelayMs);
    keeper.beginStop();
    for (const close of closers.reverse()) await close();
  });
  try {
    const { secure } = config.endpoint;
    const options = listenerOptions(config);
    const server = secure
      ? createTlsServer({ ...options, ...readServerTls(config) })
      : createServer(options);
    const connections = new Connections({ server, listener: keeper.listener }, config);
    await listen(server, config.endpoint);
    isListening = true;
    closers.push(() => connections.close(() => keeper.endRequests(), STOP_GRACE_MS));
    const { address, port } = server.address() as AddressInfo;
    const host = address.includes(':') ? `[${address}]` : address;
    return {
      endpoint: { host: address, port },
      secure,
      url: `${secure ? 'https' : 'http'}://${host}:${port}`,
      serverId,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function listen(server: Server, endpoint: ServerConfig['endpoint']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(endpoint.port, endpoint.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
