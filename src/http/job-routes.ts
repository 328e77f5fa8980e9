import { ServiceError } from '../model/errors.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import { countParam, secondsParam, textParam } from '../protocol/params.ts';
import { bodyTooLarge, announcedBytes, readBody } from './body.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { feedFormatOf } from './log-feed.ts';
import type { DetachedRequest } from './detached-request.ts';
import type { Jobs, StoredAnswer } from './jobs.ts';
import { wireTime } from '../protocol/wire-time.ts';
import { answerEmpty } from './replication-answer.ts';
import { sendJson, sendResult } from './respond.ts';

const PREFIX = '/_api/job';
const OWN_PATH = /^(?:\/_db\/[^/]*)?\/_api\/job(?:\/|$)/;
const FEED_PATH = /\/_api\/replication\/+logger-follow\/*$/;
/** Bodies of requests that nobody waits for are kept until they have run. */
const BODY_MAX_BYTES = 1024 * 1024;
const LISTED = 100;
const LISTED_MAX = 10_000;
const STAMP_MAX_SECONDS = 2 ** 40;

/** `/_api/job`: what became of requests that were answered 202 (contract 1.1). */
export function jobRoutes(deps: { readonly jobs: Jobs }): ApiRouter {
  const { jobs } = deps;
  const router = apiRouter(PREFIX);

  router.get('/:job', (ctx) => {
    const id = pathParam(ctx, 'job');
    if (id === 'done' || id === 'pending') {
      const max = countParam(ctx.query, 'count', LISTED, LISTED_MAX);
      sendJson(ctx, 200, JSON.stringify(jobs.list(id, max, ownerOf(ctx))));
    } else if (jobs.isDone(id, ownerOf(ctx))) {
      ctx.status = 200;
      ctx.set('content-type', ContentType.text);
      ctx.body = '';
    } else {
      answerEmpty(ctx);
    }
  });

  router.get('/:job/progress', (ctx) => {
    const id = pathParam(ctx, 'job');
    const { startedMs, runningMs, progress, ...said } = jobs.view(id, ownerOf(ctx));
    const startedAt = wireTime(startedMs);
    const secondsRunning = Math.round(runningMs / 100) / 10;
    const { sync = null, verify = null, works = [] } = progress ?? {};
    sendResult(ctx, 200, { id, ...said, startedAt, secondsRunning, sync, verify, works });
  });

  router.put('/:job', (ctx) => {
    const id = pathParam(ctx, 'job');
    const answer = jobs.fetch(id, ownerOf(ctx));
    if (answer) sendStored(ctx, id, answer);
    else answerEmpty(ctx);
  });

  router.delete('/:job', (ctx) => {
    const id = pathParam(ctx, 'job');
    if (id === 'all') jobs.removeAll(ownerOf(ctx));
    else if (id === 'expired') jobs.removeDoneBefore(stampOf(ctx), ownerOf(ctx));
    else jobs.remove(id, ownerOf(ctx));
    sendResult(ctx, 200, { result: true });
  });

  return router;
}

/** Whether a request wants to be answered 202 at once; what asks for answers is not meant. */
export function isAsync(ctx: Context): boolean {
  const wish = ctx.headers[Header.async];
  return (wish === 'store' || wish === 'true') && !OWN_PATH.test(ctx.path);
}

/**
 * Answers 202 and has the request run by itself: with an id under which its answer can be fetched
 * (`x-arango-async: store`), or without (`true`).
 *
 * @throws ServiceError httpBadParameter for a feed of the log, resourceLimit (32) when too many run, documentTooLarge (413) for a body above 1 MiB
 */
export async function runAsync(
  ctx: Context,
  { jobs, owner }: { jobs: Jobs; owner: string | undefined },
  answer: (request: DetachedRequest) => Promise<StoredAnswer>,
): Promise<void> {
  if (FEED_PATH.test(ctx.path) && feedFormatOf(ctx.headers.accept)) {
    throw new ServiceError('httpBadParameter', 'a feed has no end, and can be no job');
  }
  if ((announcedBytes(ctx) ?? 0) > BODY_MAX_BYTES) throw bodyTooLarge(BODY_MAX_BYTES);
  const body = await readBody(ctx);
  if (body.length > BODY_MAX_BYTES) throw bodyTooLarge(BODY_MAX_BYTES);
  const headers = { ...ctx.headers };
  const wish = headers[Header.async];
  for (const name of [Header.async, 'transfer-encoding']) Reflect.deleteProperty(headers, name);
  const request: DetachedRequest = {
    ...{ method: ctx.method, url: ctx.originalUrl, body },
    headers: { ...headers, 'content-length': String(body.length) },
  };
  const isKept = wish === 'store';
  const id = jobs.start((report) => answer({ ...request, report }), {
    ...{ isKept, owner },
    request: { method: ctx.method, path: ctx.path },
  });
  ctx.status = 202;
  ctx.set('content-type', ContentType.text);
  if (isKept) ctx.set(Header.asyncId, id);
  ctx.body = '';
}

/** Whose jobs a request is about: those of its sender, or all where nobody is asked. */
function ownerOf(ctx: Context): string | undefined {
  return ctx.state.caller?.user.name;
}

/** The answer as it would have been, and the id. */
function sendStored(ctx: Context, id: string, { status, headers, body }: StoredAnswer): void {
  ctx.status = status;
  for (const [name, value] of headers) ctx.set(name, value);
  ctx.set(Header.asyncId, id);
  ctx.set('content-length', String(body.length));
  ctx.respond = false;
  ctx.res.end(body);
}

/** @throws ServiceError httpBadParameter without a number of seconds since 1970 */
function stampOf(ctx: Context): number {
  const stamp = textParam(ctx.query, 'stamp');
  if (stamp === undefined) throw new ServiceError('httpBadParameter', "'stamp' is needed");
  return secondsParam(ctx.query, 'stamp', STAMP_MAX_SECONDS);
}
