import { type ApiRouter, type Context, apiRouter } from './context.ts';

/** What a server is measured by, as text. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/**
 * GET `/_admin/metrics/v2` and, as older scrapers ask for it, `/_admin/metrics`: figures of the whole server, all
 * databases included, in the format of Prometheus. Where clients say who they are it takes `ro` on `_system`.
 */
export function metricsRoutes(metrics: MetricsText): ApiRouter {
  const router = apiRouter('/_admin/metrics');
  const answer = async (ctx: Context): Promise<void> => {
    const text = await metrics.text();
    ctx.status = 200;
    ctx.set('content-type', metrics.contentType);
    ctx.body = text;
  };
  router.get('/', answer);
  router.get('/v2', answer);
  return router;
}
