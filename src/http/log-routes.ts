import { LOG_TOPICS, type LineLevel, type LogLevels, type LogTopic } from '../base/log-levels.ts';
import { ServiceError } from '../model/errors.ts';
import { readJsonObject } from './body.ts';
import { type ApiRouter, apiRouter } from './context.ts';
import { sendJson } from './respond.ts';

/** Levels by the names that they have on the wire; the first one of each is the one that is shown. */
const NAMES: readonly (readonly [name: string, level: LineLevel])[] = [
  ['FATAL', 'silent'],
  ['ERROR', 'error'],
  ['WARNING', 'warn'],
  ['INFO', 'info'],
  ['DEBUG', 'debug'],
  ...([
    ['WARN', 'warn'],
    ['TRACE', 'debug'],
    ['SILENT', 'silent'],
    ['DEFAULT', 'info'],
  ] as const),
];
const ALL = 'all';

/** GET and PUT `/_admin/log/level`: the least important lines that are logged, by topics, until the next start. */
export function logRoutes({ levels }: { readonly levels: LogLevels }): ApiRouter {
  const router = apiRouter('/_admin/log');
  const shown = (): string =>
    JSON.stringify(Object.fromEntries(LOG_TOPICS.map((topic) => [topic, nameOf(levels, topic)])));
  router.get('/level', (ctx) => sendJson(ctx, 200, shown()));
  router.put('/level', async (ctx) => {
    const wanted = readLevels(await readJsonObject(ctx));
    for (const [topic, level] of wanted) levels.set(topic, level);
    sendJson(ctx, 200, shown());
  });
  return router;
}

function nameOf(levels: LogLevels, topic: LogTopic): string {
  const level = levels.of(topic);
  return NAMES.find(([, each]) => each === level)?.[0] ?? level.toUpperCase();
}

/** @throws ServiceError httpBadParameter for a topic or a level that there is not */
function readLevels(body: Readonly<Record<string, unknown>>): (readonly [LogTopic, LineLevel])[] {
  // What is said of one topic counts more than what is said of all.
  const given = Object.entries(body).sort(([a], [b]) => Number(b === ALL) - Number(a === ALL));
  return given.flatMap(([name, value]) => {
    const text = typeof value === 'string' ? value.toUpperCase() : undefined;
    const level = NAMES.find(([known]) => known === text)?.[1];
    if (level === undefined) {
      const known = NAMES.map(([each]) => each).join(', ');
      throw new ServiceError('httpBadParameter', `'${name}' must be one of ${known}`);
    }
    if (name === ALL) return LOG_TOPICS.map((topic) => [topic, level] as const);
    const topic = LOG_TOPICS.find((each) => each === name);
    if (topic !== undefined) return [[topic, level] as const];
    throw new ServiceError(
      'httpBadParameter',
      `there is no topic '${name}': known are ${[...LOG_TOPICS, ALL].join(', ')}`,
    );
  });
}
