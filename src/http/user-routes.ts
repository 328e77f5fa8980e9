import type { User } from '../access/user.ts';
import { rightOf } from '../access/user.ts';
import type { UserSettings, Users } from '../access/users.ts';
import type { Catalogue } from '../documents/catalogue.ts';
import { isServiceError, ServiceError } from '../model/errors.ts';
import { ANY_DATABASE, type Right, parseRight } from '../model/right.ts';
import { MAX_JSON_DEPTH, skipValue } from '../protocol/json-scan.ts';
import { booleanParam } from '../protocol/params.ts';
import { readJsonObject } from './body.ts';
import { type ApiRouter, type Context, apiRouter, pathParam } from './context.ts';
import { isAdmin } from './gate.ts';
import { generationOf } from './generation.ts';
import { sendResult } from './respond.ts';

export interface UserRoutesDeps {
  readonly users: Users;
  readonly catalogue: Catalogue;
}

const EXTRA_MAX_BYTES = 64 * 1024;
const PASSWORD_MAX_BYTES = 1024;

/** `/_api/user`: the users of the server and their rights, as 3.x has them (contract 9.5). */
export function userRoutes(deps: UserRoutesDeps): ApiRouter {
  const { users } = deps;
  const router = apiRouter('/_api/user');

  router.get('/', (ctx) => {
    const { caller } = ctx.state;
    const shown = users.all.filter(({ name }) => isAdmin(caller) || name === caller?.user.name);
    sendResult(ctx, 200, { result: shown.map(userFields) });
  });

  router.post('/', async (ctx) => {
    const body = await readJsonObject(ctx, 'httpBadParameter');
    // `username` is 1.4's.
    const { user: name = body['username'] } = body;
    if (typeof name !== 'string') throw new ServiceError('userInvalidName');
    const user = await users.create(name, readUserSettings(body));
    sendResult(ctx, 201, generationOf(ctx) === '3.x' ? userFields(user) : {});
  });

  router.get('/:user', (ctx) => sendResult(ctx, 200, userFields(users.get(ownName(ctx)))));

  router.put('/:user', async (ctx) => {
    const name = ownName(ctx);
    const settings = readUserSettings(await readJsonObject(ctx, 'httpBadParameter'));
    sendResult(ctx, 200, userFields(await users.replace(name, settings)));
  });

  router.patch('/:user', async (ctx) => {
    const name = ownName(ctx);
    const settings = readUserSettings(await readJsonObject(ctx, 'httpBadParameter'));
    sendResult(ctx, 200, userFields(await users.update(name, settings)));
  });

  router.delete('/:user', async (ctx) => {
    await users.remove(pathParam(ctx, 'user'));
    sendResult(ctx, 202, {});
  });

  addRightRoutes(router, deps);
  return router;
}

/** The routes of what a user may do. */
function addRightRoutes(router: ApiRouter, { users, catalogue }: UserRoutesDeps): void {
  const databaseOf = (ctx: Context): string => {
    const name = pathParam(ctx, 'database');
    return name === ANY_DATABASE ? name : catalogue.get(name).name;
  };

  router.get('/:user/database', (ctx) => {
    const user = users.get(ownName(ctx));
    const names = catalogue.databases.map(({ name }) => name).sort();
    const isFull = booleanParam(ctx.query, 'full', false);
    sendResult(ctx, 200, { result: isFull ? givenRights(user, names) : rights(user, names) });
  });

  router.get('/:user/database/:database', (ctx) => {
    const user = users.get(ownName(ctx));
    sendResult(ctx, 200, { result: rightOf(user, databaseOf(ctx)) });
  });

  router.put('/:user/database/:database', async (ctx) => {
    const { grant } = await readJsonObject(ctx, 'httpBadParameter');
    const right = parseRight(grant);
    if (!right) {
      throw new ServiceError('httpBadParameter', '\'grant\' must be "rw", "ro" or "none"');
    }
    const database = databaseOf(ctx);
    await users.grant(pathParam(ctx, 'user'), database, right);
    sendResult(ctx, 200, { [database]: right });
  });

  router.delete('/:user/database/:database', async (ctx) => {
    await users.grant(pathParam(ctx, 'user'), databaseOf(ctx), undefined);
    sendResult(ctx, 202, {});
  });

  // There are no rights of single collections: each has that of its database.
  router.get('/:user/database/:database/:collection', (ctx) => {
    const user = users.get(ownName(ctx));
    sendResult(ctx, 200, { result: rightOf(user, databaseOf(ctx)) });
  });
  for (const method of ['put', 'delete'] as const) {
    router[method]('/:user/database/:database/:collection', () => {
      throw new ServiceError(
        'notImplemented',
        'rights on single collections are not offered here; put what others may not see into a database of its own',
      );
    });
  }
}

/**
 * What a body says of a user: `passwd`, `active`, `extra`. Others are passed over.
 * @throws ServiceError httpBadParameter (400/400) for one of a wrong type, or too long
 */
export function readUserSettings(body: Readonly<Record<string, unknown>>): UserSettings {
  const { passwd, active, extra } = body;
  if (passwd !== undefined) {
    const isGood = typeof passwd === 'string' && Buffer.byteLength(passwd) <= PASSWORD_MAX_BYTES;
    if (!isGood) throw bad(`'passwd' must be a text of at most ${PASSWORD_MAX_BYTES} bytes`);
  }
  if (active !== undefined && typeof active !== 'boolean') throw bad("'active' must be a boolean");
  if (extra === undefined) return { password: passwd, active };
  if (typeof extra !== 'object' || extra === null || Array.isArray(extra)) {
    throw bad("'extra' must be an object");
  }
  const text = shallowText(extra);
  if (Buffer.byteLength(text) > EXTRA_MAX_BYTES) {
    throw bad(`'extra' must not be longer than ${EXTRA_MAX_BYTES} bytes`);
  }
  return { password: passwd, active, extra: text };
}

/** As JSON that can be printed again. @throws ServiceError httpBadParameter (400/400) when it is nested too deeply */
function shallowText(value: object): string {
  try {
    const text = JSON.stringify(value);
    skipValue(text, 0, MAX_JSON_DEPTH, { bareExponent: false });
    return text;
  } catch (error) {
    // What is nested very deeply can be read, but not printed.
    if (!(error instanceof RangeError) && !isServiceError(error, 'invalidJson')) throw error;
    throw bad(`'extra' is nested deeper than ${MAX_JSON_DEPTH} levels`);
  }
}

/**
 * The user of the path, who must be the caller where that is no administrator.
 * @throws ServiceError forbidden (403/11)
 */
function ownName(ctx: Context): string {
  const name = pathParam(ctx, 'user');
  const { caller } = ctx.state;
  if (isAdmin(caller) || name === caller?.user.name) return name;
  throw new ServiceError(
    'forbidden',
    "of other users only administrators are told: 'rw' on _system",
  );
}

function userFields({ name, active, extra }: User): object {
  return { user: name, active, extra: JSON.parse(extra) as object };
}

/** What can be seen of the databases; those that can not are left out. */
function rights(user: User, names: readonly string[]): Record<string, Right> {
  const all = names.map((name) => [name, rightOf(user, name)] as const);
  return Object.fromEntries(all.filter(([, right]) => right !== 'none'));
}

/** What was given for each database and for `*`, which has `none` where nothing was. */
function givenRights(user: User, names: readonly string[]): Record<string, object> {
  const shown = (permission: string): object => ({ permission, collections: {} });
  const given = names.map((name) => [name, shown(user.rights.get(name) ?? 'undefined')] as const);
  const rest = { permission: user.rights.get(ANY_DATABASE) ?? 'none' };
  return { ...Object.fromEntries(given), [ANY_DATABASE]: rest };
}

function bad(detail: string): ServiceError {
  return new ServiceError('httpBadParameter', detail);
}
