import {
  type DocumentOperation,
  OF_3,
  type Scope,
  type Traffic,
  doubtful,
  queryOf,
} from './traffic.ts';

interface Named {
  readonly _key: string;
  readonly _rev: string;
}

type ArrayAnswer = readonly (Named | { readonly error: true })[];

const BULK_MAX = 25;

function documentPath(traffic: Traffic, { collection }: Scope, key: string): string {
  const api = collection.isEdges && traffic.random.percent(50) ? 'edge' : 'document';
  return `/_api/${api}/${traffic.ref(collection)}/${encodeURIComponent(key)}`;
}

/** A precondition that holds, one that does not, or none. */
function precondition(
  { random }: Traffic,
  { collection }: Scope,
  key: string,
): { rev?: string; policy?: string } {
  const chance = random.below(100);
  const rev = collection.rev(key);
  if (chance < 20 && rev !== undefined) return { rev };
  if (chance < 25) return { rev: '17' };
  if (chance < 30) return { rev: '17', policy: 'last' };
  return {};
}

/** Ends of an edge as members of a document; nothing for a document. */
export function endsOf(traffic: Traffic, isEdges: boolean): string {
  return isEdges ? `"_from":"${traffic.vertex()}","_to":"${traffic.vertex()}",` : '';
}

/** The text of a document for one of `size` elements, mostly with a key. */
export function documentText(traffic: Traffic, isEdges: boolean): { key?: string; text: string } {
  const key = traffic.random.percent(90) ? traffic.key() : undefined;
  const member = key === undefined ? '' : `"_key":${JSON.stringify(key)},`;
  const text = `{${member}${endsOf(traffic, isEdges)}${traffic.rest()}}`;
  return key === undefined ? { text } : { key, text };
}

const insert: DocumentOperation = async (traffic, { collection, notes, headers }) => {
  const { random } = traffic;
  const overwriteMode = random.pick([
    ...[undefined, undefined, 'conflict', 'ignore', 'replace', 'update'],
  ]);
  const waitForSync = random.percent(2) ? true : undefined;
  const settings = { overwriteMode, waitForSync };
  const of14 = collection.isEdges ? random.percent(50) : random.percent(30);
  const key = random.percent(90) ? `"_key":${JSON.stringify(traffic.key())},` : '';
  const rest = traffic.rest();
  const ends = { from: traffic.vertex(), to: traffic.vertex() };
  const inBody = collection.isEdges
    ? `"_from":${JSON.stringify(ends.from)},"_to":${JSON.stringify(ends.to)},`
    : '';
  const named = { collection: traffic.ref(collection), ...settings };
  const answer = of14
    ? await traffic.send(
        'POST',
        collection.isEdges
          ? `/_api/edge${queryOf({ ...named, ...ends })}`
          : `/_api/document${queryOf(named)}`,
        `{${key}${rest}}`,
        headers,
      )
    : await traffic.send(
        'POST',
        `/_api/document/${traffic.ref(collection)}${queryOf(settings)}`,
        `{${key}${inBody}${rest}}`,
        { ...OF_3, ...headers },
      );
  noteOne(answer?.json, overwriteMode === 'ignore' ? doubtful(notes) : notes);
};

const replace: DocumentOperation = async (traffic, scope) => {
  const key = traffic.knownKey(scope.collection);
  const path = documentPath(traffic, scope, key);
  const query = queryOf(precondition(traffic, scope, key));
  const ends = endsOf(traffic, scope.collection.isEdges && traffic.random.percent(60));
  const body = `{${ends}${traffic.rest()}}`;
  const headers = { ...(ends === '' ? {} : OF_3), ...scope.headers };
  noteOne((await traffic.send('PUT', path + query, body, headers))?.json, scope.notes);
};

const update: DocumentOperation = async (traffic, scope) => {
  const { random } = traffic;
  const key = traffic.knownKey(scope.collection);
  const query = queryOf({
    ...precondition(traffic, scope, key),
    ...(random.percent(30) ? { keepNull: false } : {}),
    ...(random.percent(30) ? { mergeObjects: false } : {}),
  });
  const body = random.percent(40) ? `{${traffic.rest()}}` : `{"n":${random.below(10)},"o":{"q":1}}`;
  const path = documentPath(traffic, scope, key);
  noteOne((await traffic.send('PATCH', path + query, body, scope.headers))?.json, scope.notes);
};

const remove: DocumentOperation = async (traffic, scope) => {
  const key = traffic.knownKey(scope.collection);
  const query = queryOf(precondition(traffic, scope, key));
  const path = documentPath(traffic, scope, key);
  const answer = await traffic.send('DELETE', path + query, undefined, scope.headers);
  if (answer) scope.notes.removed(key);
};

/** Several documents in one request, as 3.x has it. */
const writeArray: DocumentOperation = async (traffic, { collection, notes, headers }) => {
  const { random } = traffic;
  const method = random.pick(['POST', 'PUT', 'PATCH'] as const)!;
  const count = 1 + random.below(BULK_MAX);
  const elements = Array.from({ length: count }, () => {
    if (random.percent(2)) return random.pick(['17', '{"_key":"no key/"}', '{"_key":5}'])!;
    if (method === 'POST') return documentText(traffic, collection.isEdges).text;
    const key = JSON.stringify(traffic.knownKey(collection));
    const ends = endsOf(traffic, collection.isEdges && method === 'PUT');
    return `{"_key":${key},${ends}${traffic.rest()}}`;
  });
  const overwriteMode =
    method === 'POST' ? random.pick([undefined, 'replace', 'update', 'ignore']) : undefined;
  const path = `/_api/document/${traffic.ref(collection)}${queryOf({ overwriteMode })}`;
  const body = `[${elements.join(',')}]`;
  const answer = await traffic.send(method, path, body, { ...OF_3, ...headers });
  // What is left as it is has no lock that keeps others off.
  const exact = overwriteMode === 'ignore' ? doubtful(notes) : notes;
  for (const each of (answer?.json ?? []) as ArrayAnswer) noteOne(each, exact);
};

const removeArray: DocumentOperation = async (traffic, { collection, notes, headers }) => {
  const { random } = traffic;
  const keys = Array.from({ length: 1 + random.below(BULK_MAX) }, () =>
    traffic.knownKey(collection),
  );
  const selectors = keys.map((key) =>
    random.percent(50) ? key : random.percent(50) ? `${collection.name}/${key}` : { _key: key },
  );
  const path = `/_api/document/${traffic.ref(collection)}`;
  const answer = await traffic.send('DELETE', path, selectors, { ...OF_3, ...headers });
  for (const each of (answer?.json ?? []) as ArrayAnswer) {
    if (!('error' in each)) notes.removed(each._key);
  }
};

const truncate: DocumentOperation = async (traffic, { collection, notes, headers }) => {
  const path = `/_api/collection/${traffic.ref(collection)}/truncate`;
  if (await traffic.send('PUT', path, undefined, headers)) notes.truncated();
};

/** The same documents again and again, so that there is something to be compacted. */
const churn: DocumentOperation = async (traffic, { collection, notes, headers }) => {
  const keys = Array.from({ length: 300 }, (_, i) => `k${i % 100}`);
  const ends = endsOf(traffic, collection.isEdges);
  const texts = keys.map((key) => `{"_key":"${key}",${ends}"n":${traffic.random.below(10)}}`);
  const path = `/_api/document/${traffic.ref(collection)}?overwriteMode=update`;
  const body = `[${texts.join(',')}]`;
  const answer = await traffic.send('POST', path, body, { ...OF_3, ...headers });
  for (const each of (answer?.json ?? []) as ArrayAnswer) noteOne(each, notes);
};

function noteOne(json: unknown, notes: Scope['notes']): void {
  const { error, _key: key, _rev: rev } = (json ?? { error: true }) as Named & { error?: boolean };
  if (error !== true) notes.written(key, rev);
}

/** Each as often as it is to be done. */
export const DOCUMENT_OPERATIONS: readonly (readonly [number, string, DocumentOperation])[] = [
  [30, 'insert', insert],
  [14, 'replace', replace],
  [14, 'update', update],
  [14, 'remove', remove],
  [8, 'write array', writeArray],
  [4, 'remove array', removeArray],
  [2, 'truncate', truncate],
  [2, 'churn', churn],
];
