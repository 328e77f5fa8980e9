import { ServiceError } from '../model/errors.ts';
import { ContentType } from '../protocol/headers.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import type { UiFiles } from './ui-files.ts';

const PREFIX = '/_admin/ui';
const PAGE = 'index.html';
/** The reference has an address without the ending. */
const REFERENCE = 'api';

/** Nothing comes from anywhere else, nothing runs that is not a file of the page, and nobody frames it. */
const SECURITY_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
    ...["form-action 'none'", "frame-ancestors 'none'", "base-uri 'none'"],
    "require-trusted-types-for 'script'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
};

/**
 * GET `/_admin/ui/`: the status page, and the files it consists of, the HTTP reference (`api`) among them. They hold
 * no data and are open to everybody; what they show they ask for with the rights of who looks at it.
 */
export function uiRoutes(files: UiFiles): ApiRouter {
  const router = apiRouter(PREFIX);
  router.get('/', async (ctx) => {
    // The page names its files relative to itself.
    if (ctx.path.endsWith('/')) await sendFile(ctx, files, PAGE);
    else redirect(ctx, 'ui/');
  });
  router.get('/:file', async (ctx) => {
    const name = pathParam(ctx, 'file');
    await sendFile(ctx, files, name === REFERENCE ? `${REFERENCE}.html` : name);
  });
  return router;
}

/** Whether a request is that of a person with a browser who has typed no more than the address of the server. */
export function isForPage({ method, path, headers }: Context): boolean {
  return method === 'GET' && path === '/' && /\btext\/html\b/.test(headers.accept ?? '');
}

/** Sends such a person to the status page. */
export function redirectToPage(ctx: Context): void {
  redirect(ctx, '_admin/ui/');
}

/** @param to relative to the path of the request, whatever that has before it for the client */
function redirect(ctx: Context, to: string): void {
  ctx.status = 302;
  ctx.set({ location: to, 'content-type': ContentType.text });
  ctx.body = '';
}

async function sendFile(ctx: Context, files: UiFiles, name: string): Promise<void> {
  const file = await files.find(name);
  if (!file) throw new ServiceError('notFound', `the status page has no file '${name}'`);
  ctx.set({ ...SECURITY_HEADERS, vary: 'accept-encoding', 'cache-control': 'no-cache' });
  ctx.set('etag', file.etag);
  ctx.status = 200;
  if (ctx.fresh) {
    ctx.status = 304;
    return;
  }
  ctx.set('content-type', file.contentType);
  const isZipped = ctx.acceptsEncodings('gzip', 'identity') === 'gzip';
  if (isZipped) ctx.set('content-encoding', 'gzip');
  ctx.body = isZipped ? file.zipped : file.plain;
}
