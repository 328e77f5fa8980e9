import { totalmem } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { processFigures } from '../base/process-figures.ts';
import { type ApiRouter, apiRouter } from './context.ts';
import type { RequestFigures } from './request-figures.ts';
import { sendResult } from './respond.ts';

/** Upper bounds of the times that are told apart, in seconds. */
const CUTS = [0.01, 0.05, 0.1, 0.2, 0.5, 1, 5, 15, 30];
const METHODS = ['Get', 'Head', 'Post', 'Put', 'Patch', 'Delete', 'Options'] as const;

type Figure = readonly [group: string, identifier: string, name: string, units: string];

const FIGURES: readonly Figure[] = [
  ['system', 'minorPageFaults', 'Minor page faults', 'number'],
  ['system', 'majorPageFaults', 'Major page faults', 'number'],
  ['system', 'userTime', 'Processor time of the program', 'seconds'],
  ['system', 'systemTime', 'Processor time of the system', 'seconds'],
  ['system', 'residentSize', 'Memory', 'bytes'],
  ['system', 'residentSizePercent', 'Memory, as a share of all', 'percent'],
  ['client', 'totalTime', 'Time to the answer', 'seconds'],
  ['http', 'requestsTotal', 'Requests', 'number'],
  ['http', 'requestsAsync', 'Requests answered 202 at once', 'number'],
  ...METHODS.map((method): Figure => {
    return ['http', `requests${method}`, `Requests: ${method.toUpperCase()}`, 'number'];
  }),
  ['http', 'requestsOther', 'Requests of other methods', 'number'],
  ['server', 'uptime', 'Time since the start', 'seconds'],
  ['server', 'physicalMemory', 'Memory of the machine', 'bytes'],
];

/**
 * GET `/_admin/statistics` (contract 9.1): figures of the process and its requests, with the names that other
 * servers have for them, as far as there is something to tell.
 */
export function statisticsRoutes(deps: {
  readonly clock: Clock;
  readonly requests: RequestFigures;
}): ApiRouter {
  const router = apiRouter('/_admin/statistics');
  const startedMs = performance.now();
  router.get('/', (ctx) => {
    const own = processFigures();
    sendResult(ctx, 200, {
      time: deps.clock.nowMs() / 1000,
      enabled: true,
      system: {
        minorPageFaults: own.minorPageFaults,
        majorPageFaults: own.majorPageFaults,
        userTime: own.userSeconds,
        systemTime: own.systemSeconds,
        residentSize: own.residentBytes,
        residentSizePercent: own.residentBytes / totalmem(),
      },
      client: { totalTime: totalTime(deps.requests) },
      http: requestCounts(deps.requests),
      server: { uptime: (performance.now() - startedMs) / 1000, physicalMemory: totalmem() },
    });
  });
  return router;
}

/** GET `/_admin/statistics-description`: what the figures of `/_admin/statistics` are. */
export function statisticsDescriptionRoutes(): ApiRouter {
  const router = apiRouter('/_admin/statistics-description');
  const groups = [
    { group: 'system', name: 'Process', description: 'What the process takes of its machine.' },
    { group: 'client', name: 'Clients', description: 'How long clients wait.' },
    { group: 'http', name: 'Requests', description: 'Requests answered since the start.' },
    { group: 'server', name: 'Server', description: 'The server itself.' },
  ];
  const figures = FIGURES.map(([group, identifier, name, units]) => {
    const isTime = identifier === 'totalTime';
    const type = isTime ? 'distribution' : group === 'http' ? 'accumulated' : 'current';
    const figure = { group, identifier, name, description: `${name}.`, type, units };
    return isTime ? { ...figure, cuts: CUTS } : figure;
  });
  router.get('/', (ctx) => sendResult(ctx, 200, { groups, figures }));
  return router;
}

function requestCounts({ routes, detached }: RequestFigures): Record<string, number> {
  const counts: Record<string, number> = { requestsTotal: 0, requestsAsync: detached };
  const names = [...METHODS.map((method) => `requests${method}`), 'requestsOther'];
  for (const name of names) counts[name] = 0;
  for (const { method, seconds } of routes) {
    const name = `requests${method.charAt(0)}${method.slice(1).toLowerCase()}`;
    for (const each of ['requestsTotal', name]) counts[each] = (counts[each] ?? 0) + seconds.count;
  }
  return counts;
}

/** A distribution over `CUTS`: what is measured more finely is put together. */
function totalTime({ routes }: RequestFigures): { sum: number; count: number; counts: number[] } {
  const counts = new Array<number>(CUTS.length + 1).fill(0);
  let sum = 0;
  let count = 0;
  for (const { seconds } of routes) {
    sum += seconds.sum;
    seconds.counts.forEach((some, i) => {
      const bound = seconds.bounds[i] ?? Infinity;
      const cut = CUTS.findIndex((each) => bound <= each);
      const at = cut < 0 ? CUTS.length : cut;
      counts[at] = (counts[at] ?? 0) + some;
      count += some;
    });
  }
  return { sum, count, counts };
}
