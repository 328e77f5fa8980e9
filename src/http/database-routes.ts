import type { Catalogue } from '../documents/catalogue.ts';
import type { Database } from '../documents/database.ts';
import type { Databases } from '../documents/databases.ts';
import { ServiceError } from '../model/errors.ts';
import { readJsonObject } from './body.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { generationOf } from './generation.ts';
import { sendResult } from './respond.ts';

/** What the API shows as the path of a database: it has no directory of its own. */
const NO_PATH = 'none';

export interface DatabaseRoutesDeps {
  readonly catalogue: Catalogue;
  readonly databases: Databases;
  readonly onDropDatabase?: (database: Database) => Promise<void>;
}

/** `/_api/database`: list, create, drop (contract 9.1). */
export function databaseRoutes(deps: DatabaseRoutesDeps): ApiRouter {
  const { catalogue, databases } = deps;
  const names = (): string[] => catalogue.databases.map(({ name }) => name).sort();
  const router = apiRouter('/_api/database');

  router.get('/', (ctx) => {
    assertSystem(ctx);
    sendResult(ctx, 200, { result: names() });
  });

  router.get('/user', (ctx) => {
    sendResult(ctx, 200, { result: names() });
  });

  router.get('/current', (ctx) => {
    const { id, name, isSystem } = ctx.state.database;
    sendResult(ctx, 200, { result: { id, name, path: NO_PATH, isSystem } });
  });

  router.post('/', async (ctx) => {
    assertSystem(ctx);
    const { name, users } = await readJsonObject(ctx);
    if (typeof name !== 'string') {
      throw new ServiceError('databaseNameInvalid', 'database name invalid: a string is needed');
    }
    checkUsers(users);
    await databases.create(name);
    sendResult(ctx, generationOf(ctx) === '3.x' ? 201 : 200, { result: true });
  });

  router.delete('/:name', async (ctx) => {
    assertSystem(ctx);
    const database = catalogue.get(pathParam(ctx, 'name'));
    if (database.isSystem) throw new ServiceError('forbidden');
    await deps.onDropDatabase?.(database);
    await databases.drop(database.name);
    sendResult(ctx, 200, { result: true });
  });

  return router;
}

function assertSystem(ctx: Context): void {
  if (!ctx.state.database.isSystem) throw new ServiceError('systemDatabaseOnly');
}

/**
 * The users of a new database must be well-formed. They are not kept: this server has no users, and
 * whoever can reach it may do everything.
 */
function checkUsers(users: unknown): void {
  if (users === undefined) return;
  const good =
    Array.isArray(users) &&
    users.every((user: unknown) => {
      if (typeof user !== 'object' || user === null) return false;
      const { username, passwd, active } = user as Record<string, unknown>;
      return (
        typeof username === 'string' &&
        username !== '' &&
        (passwd === undefined || typeof passwd === 'string') &&
        (active === undefined || typeof active === 'boolean')
      );
    });
  if (!good) {
    throw new ServiceError('httpBadParameter', "'users' must be a list of objects with a username");
  }
}
