import { ServiceError } from '../model/errors.ts';
import type { RestrictType } from './restriction.ts';

/** Which leader, and what of it, as a request for a copy names them (contract 3.7, 3.8). */
export interface LeaderSelection {
  readonly endpoint: string;
  readonly restrictType: RestrictType;
  readonly restrictCollections: readonly string[];
}

/**
 * Reads them. A list that is none counts as empty, and what is no name in it does not count.
 *
 * @throws ServiceError httpBadParameter (400/400) without an endpoint, or for a restriction that is
 *   only half given
 */
export function readSelection(body: Readonly<Record<string, unknown>>): LeaderSelection {
  const { endpoint, restrictType: type, restrictCollections: given } = body;
  if (typeof endpoint !== 'string' || endpoint === '') {
    throw new ServiceError('httpBadParameter', '<endpoint> must be a valid endpoint');
  }
  const restrictType = typeof type === 'string' && type !== 'none' ? type : '';
  const restrictCollections = (Array.isArray(given) ? given : []).filter(
    (name): name is string => typeof name === 'string',
  );
  if (
    !isRestrictType(restrictType) ||
    (restrictType === '') !== (restrictCollections.length === 0)
  ) {
    throw new ServiceError(
      'httpBadParameter',
      'invalid value for <restrictCollections> or <restrictType>',
    );
  }
  return { endpoint, restrictType, restrictCollections };
}

function isRestrictType(text: string): text is RestrictType {
  return text === '' || text === 'include' || text === 'exclude';
}
