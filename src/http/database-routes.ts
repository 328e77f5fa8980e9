import type { Catalogue } from '../documents/catalogue.ts';
import type { Database } from '../documents/database.ts';
import type { Databases } from '../documents/databases.ts';
import { isValidUserName } from '../access/users.ts';
import type { UserSettings, Users } from '../access/users.ts';
import { ServiceError } from '../model/errors.ts';
import { readJsonObject } from './body.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { generationOf } from './generation.ts';
import { sendResult } from './respond.ts';
import { readUserSettings } from './user-routes.ts';

/** What the API shows as the path of a database: it has no directory of its own. */
const NO_PATH = 'none';

export interface DatabaseRoutesDeps {
  readonly catalogue: Catalogue;
  readonly databases: Databases;
  readonly users: Users;
  readonly onDropDatabase?: (database: Database) => Promise<void>;
}

/** `/_api/database`: list, create, drop (contract 9.1). */
export function databaseRoutes(deps: DatabaseRoutesDeps): ApiRouter {
  const { catalogue, databases, users } = deps;
  const names = (): string[] => catalogue.databases.map(({ name }) => name).sort();
  const router = apiRouter('/_api/database');

  router.get('/', (ctx) => {
    assertSystem(ctx);
    sendResult(ctx, 200, { result: names() });
  });

  router.get('/user', (ctx) => {
    const { caller } = ctx.state;
    const isSeen = (name: string): boolean => !caller || caller.rightTo(name) !== 'none';
    sendResult(ctx, 200, { result: names().filter(isSeen) });
  });

  router.get('/current', (ctx) => {
    const { id, name, isSystem } = ctx.state.database;
    sendResult(ctx, 200, { result: { id, name, path: NO_PATH, isSystem } });
  });

  router.post('/', async (ctx) => {
    assertSystem(ctx);
    const { name, users: wanted } = await readJsonObject(ctx);
    if (typeof name !== 'string') {
      throw new ServiceError('databaseNameInvalid', 'database name invalid: a string is needed');
    }
    const newUsers = readUsers(wanted);
    await databases.create(name);
    for (const [user, settings] of newUsers) {
      if (!users.find(user)) await users.create(user, settings);
      await users.grant(user, name, 'rw');
    }
    const { caller } = ctx.state;
    if (caller && caller.rightTo(name) !== 'rw') await users.grant(caller.user.name, name, 'rw');
    sendResult(ctx, generationOf(ctx) === '3.x' ? 201 : 200, { result: true });
  });

  router.delete('/:name', async (ctx) => {
    assertSystem(ctx);
    const database = catalogue.get(pathParam(ctx, 'name'));
    // Nothing is to end for one that is not dropped.
    if (!database.isSystem) await deps.onDropDatabase?.(database);
    await databases.drop(database.name);
    sendResult(ctx, 200, { result: true });
  });

  return router;
}

function assertSystem(ctx: Context): void {
  if (!ctx.state.database.isSystem) throw new ServiceError('systemDatabaseOnly');
}

/**
 * The users of a new database, who may then do everything in it. Those that are there already stay what they are.
 * @throws ServiceError httpBadParameter (400/400) unless they are well-formed
 */
function readUsers(users: unknown): ReadonlyMap<string, UserSettings> {
  if (users === undefined) return new Map();
  if (!Array.isArray(users)) throw badUsers();
  return new Map(
    users.map((user: unknown) => {
      if (typeof user !== 'object' || user === null) throw badUsers();
      const { username, ...settings } = user as Record<string, unknown>;
      if (typeof username !== 'string' || !isValidUserName(username)) throw badUsers();
      return [username, readUserSettings(settings)];
    }),
  );
}

function badUsers(): ServiceError {
  return new ServiceError('httpBadParameter', "'users' must be a list of objects with a username");
}
