import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type Deferred, deferred } from './base/deferred.ts';
import type { Logger } from './base/logger.ts';
import { sleep } from './base/sleep.ts';
import { ServiceError, isServiceError } from './model/errors.ts';
import { errorBody } from './protocol/error-body.ts';
import type { OpenCore, ServerCore } from './server-core.ts';
import { writeFailure } from './storage/write-failure.ts';
import { probeWriting } from './storage/write-probe.ts';

export interface StoreKeeperOptions {
  readonly directory: string;
  /** Between two looks whether a store that failed can be written again. */
  readonly probeIntervalMs: number;
}

/** Requests that are being answered get this long when the store is opened anew. */
const REQUESTS_GRACE_MS = 500;
/** A store that cannot be opened is tried less often. */
const REOPEN_INTERVAL_FACTOR = 5;
/** A request waits so long for the store to be opened anew. */
const REQUEST_WAIT_MS = 10_000;
const LOGGED_EVERY_MS = 60_000;

/**
 * Keeps the store of a server open. When a batch cannot be written - the disk is full, or fails - what is stored
 * stays readable and writes are refused, until the data directory can be written; then everything is closed and
 * opened again, as by a restart, while the listener stays.
 */
export class StoreKeeper {
  readonly #open: OpenCore;
  readonly #logger: Logger;
  readonly #options: StoreKeeperOptions;
  readonly #abort = new AbortController();
  #core: ServerCore | undefined;
  /** Why there is no core, after the first. */
  #closedBy: ServiceError | undefined;
  #opening: Deferred<void> | undefined;
  #recovering: Promise<void> | undefined;
  #loggedMs = 0;

  constructor(deps: { open: OpenCore; logger: Logger }, options: StoreKeeperOptions) {
    this.#open = deps.open;
    this.#logger = deps.logger;
    this.#options = options;
  }

  /** Opens the store for the first time. @throws what opening throws */
  async start(): Promise<ServerCore> {
    const core = await this.#open([]);
    this.#take(core);
    return core;
  }

  /** Hands a request to whatever answers it now. */
  readonly listener: RequestListener = (request, response) => {
    if (this.#core) this.#core.listener(request, response);
    else void this.#answerLater(request, response);
  };

  /** The server is to stop: long polls end, and nothing is opened any more. */
  beginStop(): void {
    this.#abort.abort();
    this.#core?.beginStop();
  }

  endRequests(): void {
    this.#core?.endRequests();
  }

  /** After `beginStop`. */
  async close(): Promise<void> {
    await this.#recovering;
    await this.#core?.close();
  }

  #take(core: ServerCore): void {
    this.#core = core;
    if (this.#abort.signal.aborted) core.beginStop();
    void core.failed.then((failure) => {
      // At once: those that run are about to be told, too, and stop.
      const appliers = core.runningAppliers();
      this.#recovering = this.#recover(core, failure, appliers).catch((error: unknown) => {
        this.#logger.error({ err: error }, 'the store could not be opened again');
      });
    });
  }

  async #recover(
    core: ServerCore,
    failure: ServiceError,
    appliers: readonly string[],
  ): Promise<void> {
    const { signal } = this.#abort;
    this.#logger.error(
      { err: failure },
      'the store takes no writes until its directory can be written',
    );
    do {
      await sleep(this.#options.probeIntervalMs, signal);
      if (signal.aborted) return;
    } while (!(await this.#canWrite()));
    this.#opening = deferred();
    this.#closedBy = failure;
    this.#core = undefined;
    core.beginStop();
    await sleep(REQUESTS_GRACE_MS, signal);
    core.endRequests();
    try {
      await core.close();
    } catch (error) {
      // It says once more that it failed.
      if (!isServiceError(error, failure.kind))
        this.#logger.error({ err: error }, 'closing failed');
    }
    await this.#reopen(appliers);
  }

  async #reopen(appliers: readonly string[]): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      this.#opening ??= deferred();
      try {
        this.#take(await this.#open(appliers));
        this.#closedBy = undefined;
        this.#logger.info({ appliers }, 'the store is open again and takes writes');
        return;
      } catch (error) {
        this.#closedBy = writeFailure(error);
        this.#logger.error({ err: error }, 'the store could not be opened again; it will be tried');
      } finally {
        this.#opening.resolve();
        this.#opening = undefined;
      }
      await sleep(this.#options.probeIntervalMs * REOPEN_INTERVAL_FACTOR, signal);
    }
  }

  async #canWrite(): Promise<boolean> {
    try {
      await probeWriting(this.#options.directory);
      return true;
    } catch (error) {
      const nowMs = performance.now();
      if (nowMs - this.#loggedMs > LOGGED_EVERY_MS) {
        this.#loggedMs = nowMs;
        this.#logger.warn({ err: error }, 'the data directory still cannot be written');
      }
      return false;
    }
  }

  /** The store is being opened anew: that takes a moment, or does not work. */
  async #answerLater(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const waited = new AbortController();
    await Promise.race([this.#opening?.promise, sleep(REQUEST_WAIT_MS, waited.signal)]);
    waited.abort();
    if (this.#core) {
      this.#core.listener(request, response);
      return;
    }
    const error = this.#closedBy ?? new ServiceError('shuttingDown');
    const body = JSON.stringify(errorBody(error));
    response.writeHead(error.httpStatus, {
      ...{ server: 'ArangoDB', 'content-type': 'application/json; charset=utf-8' },
      ...{ 'content-length': Buffer.byteLength(body), connection: 'close' },
    });
    response.end(request.method === 'HEAD' ? undefined : body);
    request.resume();
  }
}
