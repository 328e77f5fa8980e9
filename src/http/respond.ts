import { Readable } from 'node:stream';
import { ContentType } from '../protocol/headers.ts';
import type { Context, Exchange } from './context.ts';

/** An answer up to this size is sent whole, with its length; a longer one is streamed. */
const WHOLE_MAX_BYTES = 256 * 1024;
const STREAM_BUFFER_BYTES = 64 * 1024;
const CLIENT_GONE = 499;
const HEADER_VALUE = /^[\x20-\x7e]*$/;

/** What an answer is counted as: its status, 499 where the client went away before, or `countedStatus`. */
export function statusOf({ headerSent, respond, status, state }: Exchange): number {
  if (respond === false && !headerSent) return CLIENT_GONE;
  return state.countedStatus ?? status;
}

/** Answers with JSON that is already text. */
export function sendJson(ctx: Exchange, status: number, json: string): void {
  ctx.status = status;
  ctx.set('content-type', ContentType.json);
  ctx.body = json;
}

/** Answers with `fields`, `error:false` and the status as `code` (contract 1.3). */
export function sendResult(ctx: Context, status: number, fields: object): void {
  sendJson(ctx, status, JSON.stringify({ ...fields, error: false, code: status }));
}

/**
 * Answers without a body, but with a content type: a 204 has one here (contract 1.1), which Koa would
 * take away. Other headers may be set with `ctx.set` before.
 */
export function sendEmpty(ctx: Exchange, status: number, contentType: string): void {
  ctx.status = status;
  ctx.set('content-type', contentType);
  if (ctx.sendPieces) {
    ctx.sendPieces([]);
    return;
  }
  ctx.respond = false;
  ctx.res.end();
}

/** Sends status and headers at once; the caller writes the body to `res`, and ends it. */
export function sendHead(ctx: Exchange): void {
  if (ctx.sendHead) {
    ctx.sendHead();
    return;
  }
  ctx.respond = false;
  ctx.res.flushHeaders();
}

/** Whether a header can carry a value that comes from stored data; one that cannot be carried is left out. */
export function isHeaderValue(value: string): boolean {
  return HEADER_VALUE.test(value);
}

/**
 * Answers with JSON that comes in pieces. A short one is sent whole; of a longer one no more than
 * a few hundred KiB are in memory. When the client goes away `pieces` is ended.
 */
export async function sendPieces(
  ctx: Context,
  status: number,
  pieces: AsyncGenerator<string, void, void>,
): Promise<void> {
  let head = '';
  let done = false;
  while (!done && head.length <= WHOLE_MAX_BYTES) {
    const next = await pieces.next();
    if (next.done) done = true;
    else head += next.value;
  }
  if (done) {
    sendJson(ctx, status, head);
    return;
  }
  ctx.status = status;
  ctx.set('content-type', ContentType.json);
  if (ctx.method === 'HEAD') {
    await pieces.return();
    ctx.respond = false;
    ctx.res.end();
    return;
  }
  ctx.body = Readable.from(joined(head, pieces), {
    objectMode: false,
    highWaterMark: STREAM_BUFFER_BYTES,
  });
}

/** Larger and fewer buffers out of many small pieces. */
async function* joined(
  head: string,
  pieces: AsyncGenerator<string, void, void>,
): AsyncGenerator<Buffer, void, void> {
  let text = head;
  for await (const piece of pieces) {
    text += piece;
    if (text.length < STREAM_BUFFER_BYTES) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}
