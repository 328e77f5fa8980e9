import { type Server, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { once } from './base/once.ts';
import type { ServerConfig } from './config/server-config.ts';
import { readServerTls } from './http/server-tls.ts';
import { type StartDeps, openCore } from './open-core.ts';
import type { OpenCore } from './server-core.ts';
import { StoreKeeper } from './store-keeper.ts';

/** An idle connection is kept this long: longer than a follower waits between requests. */
const KEEP_ALIVE_MS = 75_000;
/** Requests still running when a stop has waited this long lose their connection. */
const STOP_GRACE_MS = 10_000;
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
  /** Finishes requests, stops appliers and background work, closes the store. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts a server: store, catalogue, loggers, background work, appliers that start by themselves,
 * and last the listener.
 * @param deps.version of this program, shown by `/_api/version?details=true`
 * @throws ServiceError storeLocked, storageDamaged or unknownFormat, badParameter for a file of a secret or of TLS that
 * cannot be used; a listen error with its `code`.
 * Nothing is left running then.
 */
export async function startServer(deps: StartDeps, config: ServerConfig): Promise<RunningServer> {
  let { newServerId } = config;
  const open: OpenCore = async (resume) => {
    const core = await openCore(deps, { ...config, newServerId }, resume);
    newServerId = false;
    return core;
  };
  const keeper = new StoreKeeper(
    { open, logger: deps.logger },
    { directory: config.databaseDirectory, probeIntervalMs: PROBE_INTERVAL_MS },
  );
  const { serverId } = await keeper.start();
  const closers: (() => Promise<void> | void)[] = [() => keeper.close()];
  const stop = once(async () => {
    keeper.beginStop();
    for (const close of closers.reverse()) await close();
  });
  try {
    const { secure } = config.endpoint;
    const server = secure
      ? createTlsServer(readServerTls(config), keeper.listener)
      : createServer(keeper.listener);
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    // An import may take as long as its body does.
    server.requestTimeout = 0;
    await listen(server, config.endpoint);
    closers.push(() => closeServer(server, keeper));
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

/** Takes no more connections, lets requests finish, and closes. */
function closeServer(server: Server, keeper: StoreKeeper): Promise<void> {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => {
      keeper.endRequests();
      server.closeAllConnections();
    }, STOP_GRACE_MS);
    // A connection that was busy becomes idle when its request is answered.
    const idle = setInterval(() => {
      server.closeIdleConnections();
    }, 50);
    server.close((error) => {
      clearTimeout(deadline);
      clearInterval(idle);
      if (error) reject(error);
      else resolve();
    });
  });
}
