import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import type { Tick } from '../model/tick.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import { type PageRequest, pageSeal } from '../protocol/page-seal.ts';
import { ClientGoneError } from './body.ts';
import type { Exchange } from './context.ts';
import { sendEmpty, sendJson } from './respond.ts';
import { type ReaderLimits, watchReader } from './slow-reader.ts';

/** What pages of the log and of a dump have in common (contract 2.6, 3.4). */
export interface AnswerPage {
  /** Empty for a 204. */
  readonly body: {
    readonly pieces: readonly Buffer[];
    /** In bytes. */
    readonly length: number;
    readonly crc32: number;
  };
  readonly lastIncluded: Tick;
  readonly checkMore: boolean;
  readonly incarnation: string;
  /** Gives the memory of the page back. */
  readonly release: () => void;
}

/** Settings of those who answer pages: a reader that takes nothing of one is cut off, and its memory given back. */
export type PageAnswerOptions = ReaderLimits;

/** What `stalledAfterMs` is by default. */
export const STALLED_AFTER_MS = 120_000;

const TEXT_TYPE = 'text/plain; charset=utf-8';

/** Answers 200 with a JSON body that followers go by, and its sum. */
export function answerSummedJson(ctx: Exchange, value: unknown): void {
  const text = JSON.stringify(value);
  ctx.set(Header.crc32, String(crc32(text)));
  sendJson(ctx, 200, text);
}

/** Answers 200 with a JSON body. */
export function answerJson(ctx: Exchange, value: unknown): void {
  sendJson(ctx, 200, JSON.stringify(value));
}

/** Answers 204 the way real servers do: clients of that age read on when no length is announced. */
export function answerEmpty(ctx: Exchange, contentType = TEXT_TYPE): void {
  ctx.set('content-length', '0');
  sendEmpty(ctx, 204, contentType);
}

/**
 * Answers a page: 200 with the lines, 204 when there are none. Its memory is given back when
 * everything is handed to the network, or the connection is gone.
 *
 * @param request what it is the answer to
 * @param headers what the endpoint has beyond those of all pages
 */
export function answerPage(
  ctx: Exchange,
  page: AnswerPage,
  request: PageRequest,
  headers: Readonly<Record<string, string>>,
  options: PageAnswerOptions,
): void {
  try {
    sendPage(ctx, page, request, headers);
  } catch (error) {
    page.release();
    throw error;
  }
  const { res } = ctx;
  // Most pages at the end of a log are taken whole: nothing of them is held, nobody needs to be watched.
  if (page.body.length === 0 || res.closed || res.writableFinished) {
    page.release();
    return;
  }
  res.once('close', page.release);
  watchReader(res, options);
}

function sendPage(
  ctx: Exchange,
  page: AnswerPage,
  request: PageRequest,
  headers: Readonly<Record<string, string>>,
): void {
  const isEmpty = page.body.length === 0;
  const said: Record<string, string> = {
    [Header.checkMore]: String(page.checkMore),
    [Header.lastIncluded]: page.lastIncluded.toString(),
    [Header.incarnation]: page.incarnation,
    ...headers,
  };
  if (!isEmpty) said[Header.crc32] = String(page.body.crc32);
  for (const [name, value] of Object.entries(said)) ctx.set(name, value);
  ctx.set(Header.seal, pageSeal(request, said));
  if (isEmpty) {
    answerEmpty(ctx, ContentType.dump);
    return;
  }
  ctx.status = 200;
  ctx.set('content-type', ContentType.dump);
  ctx.set('content-length', String(page.body.length));
  sendPieces(ctx, page.body.pieces);
}

/** All pieces are handed over at once, so that the system takes them as one. */
function sendPieces(ctx: Exchange, pieces: readonly Buffer[]): void {
  if (ctx.sendPieces) {
    ctx.sendPieces(pieces);
    return;
  }
  ctx.respond = false;
  const { res } = ctx;
  res.cork();
  for (const piece of pieces) res.write(piece);
  res.end();
}

/** What a stop ends, by its signal, which one listener hears for however many connections. */
const endedByStop = new WeakMap<AbortSignal, Set<AbortController>>();

function endedBy(stop: AbortSignal): Set<AbortController> {
  const known = endedByStop.get(stop);
  if (known) return known;
  const controllers = new Set<AbortController>();
  endedByStop.set(stop, controllers);
  const end = (): void => controllers.forEach((each) => each.abort());
  stop.addEventListener('abort', end, { once: true });
  return controllers;
}

/** Made once a connection: a signal for each request is what a server with little to do would mostly make. */
const signals = new WeakMap<Socket, AbortSignal>();

/** Aborts when the connection of a request is gone, or the server stops. */
function connectionSignal({ req, state }: Exchange): AbortSignal {
  const { socket } = req;
  const known = signals.get(socket);
  if (known) return known;
  const controller = new AbortController();
  const { signal } = controller;
  // Requests that were sent together listen to it together.
  setMaxListeners(0, signal);
  const stop = state.limits.signal;
  const ended = endedBy(stop).add(controller);
  if (stop.aborted || socket.destroyed) controller.abort();
  socket.once('close', () => {
    ended.delete(controller);
    controller.abort();
  });
  signals.set(socket, signal);
  return signal;
}

/**
 * Runs something that may wait, with a signal that aborts when the client is gone or the server
 * stops.
 *
 * @throws ClientGoneError when the client is gone before there was a result; and what `run` throws,
 *   which is the reason of the signal where a stop ends a wait without a result
 */
export async function whileConnected<T>(
  ctx: Exchange,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = connectionSignal(ctx);
  try {
    return await run(signal);
  } catch (error) {
    throw ctx.res.closed && signal.reason === error ? new ClientGoneError() : error;
  }
}
