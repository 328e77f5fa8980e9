import { type DocumentOperation, OF_3, type Traffic, queryOf } from './traffic.ts';
import { documentText, endsOf } from './traffic-documents.ts';

const IMPORT_MAX = 60;
/** In a line of values each has a place. */
const SPARE_KEY = 'k1';
const RESTORE_MAX = 40;
const BAD_LINES: readonly string[] = [
  '[1,2]',
  '17',
  '{"_key":"no key/"}',
  '{"_key":5}',
  '{"a":',
  '',
];

/** All modes of an import; which documents came through is not noted. */
const importDocuments: DocumentOperation = async (traffic, { collection, notes, headers }) => {
  const { random } = traffic;
  const type = random.pick(['documents', 'array', 'auto', undefined]);
  const count = random.percent(5) ? 0 : 1 + random.below(IMPORT_MAX);
  const sent = Array.from({ length: count }, () => documentText(traffic, collection.isEdges));
  const lines =
    type === undefined ? tuples(traffic, collection.isEdges, sent) : texts(traffic, sent);
  const asArray = type === 'array' || (type === 'auto' && random.percent(50));
  const overwrite = random.percent(8);
  const query = queryOf({
    ...{ collection: collection.name, type, overwrite },
    onDuplicate: random.pick(['error', 'update', 'replace', 'ignore']),
    complete: random.percent(25),
    details: random.percent(50),
    waitForSync: random.percent(3),
    ...(collection.isEdges && random.percent(20) ? { fromPrefix: 'a', toPrefix: 'b' } : {}),
  });
  // A line cannot be cut out of an array.
  const good = lines.filter((line) => line !== '' && line !== '{"a":');
  const body = asArray ? `[${good.join(',')}]` : `${lines.join('\n')}\n`;
  // Whatever becomes of it: it is several groups where it is no single transaction.
  notes.doubt(sent.map(({ key = SPARE_KEY }) => key));
  notes.open();
  if (overwrite) notes.forget();
  await traffic.send('POST', `/_api/import${query}`, body, headers);
};

function texts({ random }: Traffic, sent: readonly { text: string }[]): string[] {
  const isBad = random.percent(20);
  return sent.map(({ text }) => (isBad && random.percent(5) ? random.pick(BAD_LINES)! : text));
}

/** A line of names, and lines of values. */
function tuples(
  { random }: Traffic,
  isEdges: boolean,
  sent: readonly { key?: string; text: string }[],
): string[] {
  const names = ['_key', 'n', 'u', ...(isEdges ? ['_from', '_to'] : [])];
  const rows = sent.map(({ key = SPARE_KEY }) => {
    const ends = isEdges ? ['a/1', 'b/2'] : [];
    return JSON.stringify([key, random.below(10), random.below(80), ...ends]);
  });
  return [JSON.stringify(names), ...rows];
}

/** Lines of dumps of both generations, with removals, bad ones now and then, and keys that come twice. */
const restoreData: DocumentOperation = async (traffic, { collection, notes }) => {
  const { random } = traffic;
  const shape = random.pick(['1.4', '1.4', '3.x', 'bare'] as const)!;
  const count = random.percent(5) ? 0 : 1 + random.below(RESTORE_MAX);
  const isBad = random.percent(10);
  const keys: string[] = [];
  const lines = Array.from({ length: count }, () => {
    if (isBad && random.percent(10))
      return random.pick(['no JSON', '{"type":99,"key":"k1"}', '{}'])!;
    const key = random.percent(50) ? traffic.knownKey(collection) : traffic.key();
    keys.push(key);
    return restoreLine(traffic, { shape, key, isEdges: collection.isEdges });
  });
  const query = queryOf({
    collection: traffic.ref(collection),
    ...(random.percent(50) ? { recycleIds: true } : {}),
    ...(random.percent(30) ? { force: true } : {}),
    ...(shape === 'bare' ? { useEnvelope: false } : {}),
    ...(random.percent(10) ? { generateNewRevisionIds: true } : {}),
  });
  notes.doubt(keys);
  const body =
    (random.percent(30) ? '\n' : '') + lines.join('\n') + (random.percent(80) ? '\n' : '');
  const headers = shape === '3.x' || random.percent(20) ? OF_3 : {};
  await traffic.send('PUT', `/_api/replication/restore-data${query}`, body, headers);
};

function restoreLine(
  traffic: Traffic,
  { shape, key, isEdges }: { shape: '1.4' | '3.x' | 'bare'; key: string; isEdges: boolean },
): string {
  const { random } = traffic;
  const name = JSON.stringify(key);
  const rev = random.percent(80) ? `${1 + random.below(1_000_000)}` : `_U${random.below(1000)}--A`;
  const head = `"_key":${name},"_rev":"${rev}",${endsOf(traffic, isEdges)}`;
  const data = `{${head}${traffic.rest()}}`;
  if (shape === 'bare') return data;
  if (random.percent(15)) return `{"type":2302,"key":${name},"rev":"${rev}"}`;
  const type = shape === '1.4' && isEdges ? 2301 : 2300;
  return `{"type":${type},"key":${name},"rev":"${rev}","data":${data}}`;
}

/** Those that stream transactions know, too. */
export const IMPORT_OPERATIONS: readonly (readonly [number, string, DocumentOperation])[] = [
  [8, 'import', importDocuments],
];

export const RESTORE_DATA_OPERATIONS: readonly (readonly [number, string, DocumentOperation])[] = [
  [6, 'restore data', restoreData],
];
