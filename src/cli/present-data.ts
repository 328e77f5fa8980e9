import { at, listAt, numberAt, textAt } from './json.ts';
import type { ServerClient } from './server-client.ts';
import { exactCounted } from './units.ts';

/** Names that are said. */
const NAMED_MAX = 5;

/**
 * What of a database would be replaced, in words: `2 collections with 1,234 documents (a, b)`. Undefined when there
 * are no documents in any of these collections, which is no loss.
 *
 * @param isMeant by the name of a collection; system collections are not looked at
 * @throws as ServerClient
 */
export async function presentData(
  client: ServerClient,
  isMeant: (name: string) => boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  const list = await client.get('/_api/collection', signal, { excludeSystem: true });
  // 1.4 and 3.x call the list differently.
  const member = at(list, 'collections') === undefined ? 'result' : 'collections';
  const names: string[] = [];
  let documents = 0;
  for (const each of listAt(list, member)) {
    const name = textAt(each, 'name') ?? '';
    if (!isMeant(name)) continue;
    const path = `/_api/collection/${encodeURIComponent(name)}/count`;
    const count = numberAt(await client.get(path, signal), 'count') ?? 0;
    if (count === 0) continue;
    names.push(name);
    documents += count;
  }
  if (names.length === 0) return undefined;
  const more = names.length > NAMED_MAX ? ', ...' : '';
  return (
    `${exactCounted(names.length, 'collection')} with ${exactCounted(documents, 'document')} ` +
    `(${names.slice(0, NAMED_MAX).join(', ')}${more})`
  );
}
