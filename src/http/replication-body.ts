import { type ErrorName, ServiceError } from '../model/errors.ts';
import { lastMembers, parseJson, splitObject } from '../protocol/json-text.ts';
import { readText } from './body.ts';
import type { Context } from './context.ts';
import { generationOf } from './generation.ts';

/**
 * Reads the body of a replication command. Refused are what is no JSON, an empty body, and an object
 * that names an attribute twice (contract 1.5): as httpBadParameter (400/400), or as invalidJson
 * (400/600) in 3.x where the endpoint has no message of its own. A JSON value that is no object counts as
 * one without attributes, as on 1.4 servers.
 *
 * @param message of the refusal, where the endpoint has one of its own
 * @throws ServiceError httpBadParameter or invalidJson; as `readText`
 */
export async function readReplicationBody(
  ctx: Context,
  message?: string,
): Promise<Readonly<Record<string, unknown>>> {
  const isOf3 = message === undefined && generationOf(ctx) === '3.x';
  const kind: ErrorName = isOf3 ? 'invalidJson' : 'httpBadParameter';
  const text = await readText(ctx, kind);
  let value: unknown;
  let repeats: boolean;
  try {
    value = parseJson(text);
    const members = splitObject(text);
    repeats = members !== undefined && lastMembers(members) !== members;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new ServiceError(kind, message, { cause: error });
  }
  if (repeats) throw new ServiceError(kind, message);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return value as Record<string, unknown>;
}
