import { ServiceError } from '../model/errors.ts';
import { lastMembers, parseJson, splitObject } from '../protocol/json-text.ts';
import { readText } from './body.ts';
import type { Context } from './context.ts';

/**
 * Reads the body of a replication command. Refused as httpBadParameter (400/400) are what is no
 * JSON, an empty body, and an object that names an attribute twice (contract 1.5); a JSON value that
 * is no object counts as one without attributes, as on 1.4 servers.
 *
 * @param message of the refusal, where the endpoint has one of its own
 * @throws ServiceError httpBadParameter; as `readText`
 */
export async function readReplicationBody(
  ctx: Context,
  message?: string,
): Promise<Readonly<Record<string, unknown>>> {
  const text = await readText(ctx, 'httpBadParameter');
  let value: unknown;
  let repeats: boolean;
  try {
    value = parseJson(text);
    const members = splitObject(text);
    repeats = members !== undefined && lastMembers(members) !== members;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new ServiceError('httpBadParameter', message, { cause: error });
  }
  if (repeats) throw new ServiceError('httpBadParameter', message);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return value as Record<string, unknown>;
}
