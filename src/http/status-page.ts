import type { ApiRouter } from './context.ts';
import { historyRoutes, overviewRoutes } from './overview-routes.ts';
import { Sampler, type SamplerDeps } from './sampler.ts';
import { UiFiles } from './ui-files.ts';
import { uiRoutes } from './ui-routes.ts';

/** Where the page is built, seen from the sources as well as from what is compiled. */
const DIRECTORY = new URL('../../dist/ui/', import.meta.url);

/**
 * The status page, and what it shows that nothing else tells. Samples are taken until `stop`.
 * @param options.version of this program
 */
export function startStatusPage(
  deps: SamplerDeps & { readonly serverId: string },
  options: { readonly version: string },
): { readonly routers: readonly ApiRouter[]; readonly stop: () => void } {
  const sampler = new Sampler(deps);
  sampler.start();
  const routers = [
    uiRoutes(new UiFiles({ directory: DIRECTORY })),
    overviewRoutes(deps, options),
    historyRoutes(sampler),
  ];
  return { routers, stop: () => sampler.stop() };
}
