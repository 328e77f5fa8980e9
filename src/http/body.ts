import { isUtf8 } from 'node:buffer';
import { counted } from '../base/words.ts';
import { type ErrorName, ServiceError } from '../model/errors.ts';
import {
  DISCARD_MAX_BYTES,
  Patience,
  arrivingBody,
  discardBody,
  isGivenUp,
} from './body-arrival.ts';
import type { Exchange } from './context.ts';

/** Bodies up to this size do not count against the memory that large ones share. */
const SMALL_BODY_BYTES = 1024 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** The client went away while its request was being read: nobody is there to be answered. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

/**
 * Reads the whole body.
 * @throws ServiceError documentTooLarge with status 413 above `limits.maxBodyBytes`, requestTimeout (408) for
 *   one that does not come, httpBadParameter for one that is no HTTP; ClientGoneError
 */
export async function readBody(ctx: Exchange): Promise<Buffer> {
  const { maxBodyBytes } = ctx.state.limits;
  const announced = announcedBytes(ctx) ?? 0;
  if (announced > maxBodyBytes) throw bodyTooLarge(maxBodyBytes);
  const chunked = ctx.headers['transfer-encoding'] !== undefined;
  if (chunked) return readUnannounced(ctx, maxBodyBytes);
  if (announced === 0) return NO_BYTES;
  if (announced > SMALL_BODY_BYTES) await claimMemory(ctx, announced);
  // What came in one piece with the head is there as soon as the parser has gone on.
  else await Promise.resolve();
  const { req } = ctx;
  if (req.destroyed) throw new ClientGoneError();
  if (req.readableLength === announced) return req.read() as Buffer;
  return readUpTo(ctx, maxBodyBytes);
}

/** How long the body says it is; undefined when it does not. */
export function announcedBytes(ctx: Exchange): number | undefined {
  const length = ctx.headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/**
 * Claims a part of the memory that large bodies share and holds it until the request is answered.
 * Waits in order while others hold it.
 */
export async function claimMemory(ctx: Exchange, bytes: number): Promise<void> {
  const { bodyBudget, signal } = ctx.state.limits;
  const release = await bodyBudget.acquire(bytes, signal);
  if (ctx.res.closed || ctx.res.destroyed) {
    release();
    throw new ClientGoneError();
  }
  ctx.res.once('close', release);
}

/**
 * The body as it comes, read no faster than it is used; the connection outlives an early end.
 * @throws ServiceError requestTimeout, httpBadParameter as `readBody`; ClientGoneError
 */
export async function* bodyPieces(ctx: Exchange): AsyncGenerator<Buffer, void, void> {
  try {
    yield* arrivingBody(ctx.req, { timeoutMs: ctx.state.limits.bodyTimeoutMs });
  } catch (error) {
    throw disconnected(ctx, error);
  }
}

/**
 * Answers may come before the body is read. A client that is still sending would not see an answer
 * behind which the connection is closed, so the rest is read and dropped - within bounds.
 */
export function dropRestOfBody(ctx: Exchange): void {
  const { req } = ctx;
  if (req.complete || req.destroyed) return;
  const bytes = announcedBytes(ctx) ?? 0;
  // Most requests for something have none; that they are complete shows a moment later.
  if (bytes === 0 && ctx.headers['transfer-encoding'] === undefined) return;
  if (isGivenUp(req) || bytes > DISCARD_MAX_BYTES) {
    if (!ctx.headerSent) ctx.set('connection', 'close');
    return;
  }
  discardBody(req, { timeoutMs: ctx.state.limits.bodyTimeoutMs });
}

/** The refusal of a body above `maxBytes`. */
export function bodyTooLarge(maxBytes: number): ServiceError {
  const detail = `the body is larger than ${counted(maxBytes, 'byte')}`;
  return new ServiceError('documentTooLarge', detail, { httpStatus: 413 });
}

/** Nobody knows how long it will be: above the small size it is taken for as long as it may be. */
async function readUnannounced(ctx: Exchange, maxBodyBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let claimed = false;
  for await (const chunk of bodyPieces(ctx)) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw bodyTooLarge(maxBodyBytes);
    chunks.push(chunk);
    if (bytes > SMALL_BODY_BYTES && !claimed) {
      claimed = true;
      await claimMemory(ctx, maxBodyBytes);
    }
  }
  return Buffer.concat(chunks);
}

/** The quick way, without a promise for each chunk. */
function readUpTo(ctx: Exchange, maxBytes: number): Promise<Buffer> {
  const { req } = ctx;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (): void => {
      patience.stop();
      req.off('data', onData);
      req.off('end', onEnd);
      req.off('error', onError);
      req.off('close', onClose);
    };
    const refuse = (error: ServiceError): void => {
      settle();
      req.pause();
      reject(error);
    };
    const patience = new Patience(req, { timeoutMs: ctx.state.limits.bodyTimeoutMs }, refuse);
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      patience.received(chunk.length);
      if (bytes > maxBytes) {
        refuse(bodyTooLarge(maxBytes));
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      settle();
      const [first] = chunks;
      resolve(chunks.length === 1 && first ? first : Buffer.concat(chunks));
    };
    const onError = (error: Error): void => {
      settle();
      reject(disconnected(ctx, error));
    };
    const onClose = (): void => {
      settle();
      reject(new ClientGoneError());
    };
    req.on('data', onData);
    req.on('end', onEnd);
    req.on('error', onError);
    req.on('close', onClose);
    patience.start();
  });
}

/** What an error while reading means: a request that was cut off has no other cause than the client. */
function disconnected(ctx: Exchange, error: unknown): Error {
  if (!(error instanceof ServiceError) && ctx.req.destroyed && !ctx.req.complete) {
    return new ClientGoneError('the request was cut off', { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}

/** The body as text. @throws ServiceError invalidJson (600) when it is not UTF-8; as `readBody` */
export async function readText(ctx: Exchange, kind: ErrorName = 'invalidJson'): Promise<string> {
  // As in `readBody`, without a promise in between: of nearly every document all is there now.
  await Promise.resolve();
  const body = arrivedBody(ctx) ?? (await readBody(ctx));
  if (!isUtf8(body)) throw new ServiceError(kind, 'the body is not UTF-8');
  return body.toString('utf8');
}

/** The body, where it is small and all of it has come. */
function arrivedBody(ctx: Exchange): Buffer | undefined {
  const { req } = ctx;
  const announced = announcedBytes(ctx) ?? 0;
  if (req.destroyed || req.readableLength !== announced) return undefined;
  const isSmall =
    announced > 0 && announced <= Math.min(SMALL_BODY_BYTES, ctx.state.limits.maxBodyBytes);
  return isSmall ? (req.read() as Buffer) : undefined;
}

/**
 * The body as a JSON object.
 * @param kind what to say when it is none: invalidJson (600), or httpBadParameter where the contract's
 *   1.5 wants it
 */
export async function readJsonObject(
  ctx: Exchange,
  kind: ErrorName = 'invalidJson',
): Promise<Record<string, unknown>> {
  const text = await readText(ctx, kind);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ServiceError(kind, text === '' ? 'the body is empty' : 'the body is no JSON', {
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ServiceError(kind, 'the body is not a JSON object');
  }
  return value as Record<string, unknown>;
}
