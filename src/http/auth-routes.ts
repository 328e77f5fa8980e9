import type { Authenticator } from '../access/authenticator.ts';
import type { Tokens } from '../access/tokens.ts';
import { ServiceError } from '../model/errors.ts';
import { readJsonObject } from './body.ts';
import { type ApiRouter, apiRouter } from './context.ts';
import { sendJson } from './respond.ts';

const BODY_MAX_BYTES = 16 * 1024;

/** POST `/_open/auth`, as 3.x has it: name and password for a token. */
export function authRoutes(deps: {
  readonly authenticator: Authenticator;
  readonly tokens: Tokens;
}): ApiRouter {
  const { authenticator, tokens } = deps;
  const router = apiRouter('/_open/auth');
  router.post('/', async (ctx) => {
    // Whoever sends it is not known yet, and shall not fill the memory that large bodies share.
    const { limits } = ctx.state;
    const maxBodyBytes = Math.min(limits.maxBodyBytes, BODY_MAX_BYTES);
    ctx.state.limits = { ...limits, maxBodyBytes };
    const { username, password } = await readJsonObject(ctx, 'httpBadParameter');
    if (typeof username !== 'string' || typeof password !== 'string') {
      throw new ServiceError('httpBadParameter', "'username' and 'password' must be texts");
    }
    const user = await authenticator.login(username, password);
    if (!user) {
      throw new ServiceError(
        'httpUnauthorized',
        'there is no active user of this name and password',
      );
    }
    sendJson(ctx, 200, JSON.stringify({ jwt: await tokens.issue(user) }));
  });
  return router;
}
