import { OF_3, type Traffic, type TrafficOperation, queryOf } from './traffic.ts';
import type { WorldCollection } from './world.ts';

const MIB = 1024 * 1024;

interface Created {
  readonly id: string;
  readonly type: number;
}

async function createNamed(traffic: Traffic, name: string): Promise<void> {
  const { random, world } = traffic;
  const isVolatile = random.percent(5);
  const body = {
    ...{ name, isSystem: name.startsWith('_') },
    type: random.percent(25) ? 3 : 2,
    ...(random.percent(10) && !isVolatile ? { waitForSync: true } : {}),
    ...(random.percent(20) ? { doCompact: random.percent(50) } : {}),
    ...(random.percent(20) ? { journalSize: MIB + random.below(1000) } : {}),
    ...(isVolatile ? { isVolatile } : {}),
    ...(random.percent(25) ? { keyOptions: keyOptions(traffic) } : {}),
  };
  const answer = await traffic.send('POST', '/_api/collection', body);
  const { id, type } = (answer?.json ?? {}) as Partial<Created>;
  if (id !== undefined && type !== undefined) world.add({ cid: id, name, type });
}

function keyOptions({ random }: Traffic): object {
  const allowUserKeys = random.percent(80);
  if (random.percent(40)) return { type: 'traditional', allowUserKeys };
  return { type: 'autoincrement', allowUserKeys, offset: random.below(20), increment: 3 };
}

const create: TrafficOperation = (traffic) => createNamed(traffic, traffic.name());

async function dropIt(traffic: Traffic, collection: WorldCollection): Promise<boolean> {
  const query = collection.isSystem ? '?isSystem=true' : '';
  const path = `/_api/collection/${traffic.ref(collection)}${query}`;
  const isDone = (await traffic.send('DELETE', path)) !== undefined;
  if (isDone) traffic.world.drop(collection.cid);
  return isDone;
}

const drop: TrafficOperation = async (traffic) => {
  const collection = traffic.pick();
  if (collection) await dropIt(traffic, collection);
};

/** Dropped, and another one made under the same name at once. */
const recreate: TrafficOperation = async (traffic) => {
  const collection = traffic.pick();
  if (collection && (await dropIt(traffic, collection)))
    await createNamed(traffic, collection.name);
};

async function renameTo(
  traffic: Traffic,
  collection: WorldCollection,
  name: string,
): Promise<boolean> {
  const path = `/_api/collection/${traffic.ref(collection)}/rename`;
  const isDone = (await traffic.send('PUT', path, { name })) !== undefined;
  if (isDone) collection.name = name;
  return isDone;
}

const rename: TrafficOperation = async (traffic) => {
  const collection = traffic.pick();
  if (collection) await renameTo(traffic, collection, traffic.name());
};

/** Two collections get each other's names. */
const swapNames: TrafficOperation = async (traffic) => {
  const [one, other] = [traffic.pick(), traffic.pick()];
  if (!one || !other || one === other) return;
  const [first, second] = [one.name, other.name];
  if (!(await renameTo(traffic, one, 'swap'))) return;
  const isFree = await renameTo(traffic, other, first);
  await renameTo(traffic, one, isFree ? second : first);
};

const changeProperties: TrafficOperation = async (traffic) => {
  const { random } = traffic;
  const collection = traffic.pick();
  if (!collection) return;
  const body = {
    ...(random.percent(30) ? { waitForSync: random.percent(20) } : {}),
    ...(random.percent(40) ? { doCompact: random.percent(50) } : {}),
    ...(random.percent(40) ? { journalSize: MIB - 1 + random.below(1000) } : {}),
  };
  await traffic.send('PUT', `/_api/collection/${traffic.ref(collection)}/properties`, body);
};

/** What 1.4 does with a collection besides. */
const handle: TrafficOperation = async (traffic) => {
  const collection = traffic.pick();
  if (!collection) return;
  const action = traffic.random.pick(['load', 'unload', 'rotate'])!;
  await traffic.send('PUT', `/_api/collection/${traffic.ref(collection)}/${action}`);
};

const INDEXES: readonly Readonly<Record<string, unknown>>[] = [
  { type: 'hash', fields: ['u'], unique: true },
  { type: 'hash', fields: ['u'], unique: true, sparse: true },
  { type: 'skiplist', fields: ['u', 'n'], unique: true },
  { type: 'skiplist', fields: ['w'], unique: true, sparse: false },
  { type: 'persistent', fields: ['o.p', 'u'], unique: true, sparse: true },
  { type: 'hash', fields: ['n'] },
  { type: 'skiplist', fields: ['n', 'u'], sparse: false },
  { type: 'persistent', fields: ['o.p'], sparse: true },
  { type: 'hash', fields: ['w'], sparse: false },
  { type: 'geo', fields: ['loc'], geoJson: true },
  { type: 'geo', fields: ['n', 'u'], constraint: true, ignoreNull: true },
  { type: 'fulltext', fields: ['t'], minLength: 3 },
  { type: 'bitarray', fields: ['b', ['x', 'y']], undefined: true },
];

function wantedIndex({ random }: Traffic): Readonly<Record<string, unknown>> {
  if (random.percent(90)) return random.pick(INDEXES)!;
  if (random.percent(50)) return { type: 'cap', size: 3 + random.below(40) };
  return { type: 'cap', byteSize: 16_384 + random.below(40_000) };
}

const createIndex: TrafficOperation = async (traffic) => {
  const collection = traffic.pick();
  if (!collection) return;
  const wanted = wantedIndex(traffic);
  const path = `/_api/index?collection=${traffic.ref(collection)}`;
  if (wanted['type'] === 'cap') collection.capped();
  await traffic.send('POST', path, wanted);
};

const dropIndex: TrafficOperation = async (traffic) => {
  const collection = traffic.pick();
  if (!collection) return;
  const listed = await traffic.send('GET', `/_api/index?collection=${collection.name}`);
  const { indexes = [] } = (listed?.json ?? {}) as { indexes?: { id: string }[] };
  const { id } = traffic.random.pick(indexes) ?? {};
  if (id !== undefined) await traffic.send('DELETE', `/_api/index/${id}`);
};

/** Structures of a backup: new ones, and ones that take the place, or the id, of what is there. */
const restoreCollection: TrafficOperation = async (traffic) => {
  const { random, world } = traffic;
  const name = traffic.name();
  const recycleIds = random.percent(60);
  const cid =
    (random.percent(50) ? traffic.pick()?.cid : undefined) ?? `${7_000 + random.below(9)}`;
  const type = random.percent(25) ? 3 : 2;
  const parameters = {
    ...{ cid, name, type, version: 4, deleted: random.percent(3) },
    doCompact: random.percent(80),
    maximalSize: random.percent(50) ? MIB * 2 : 0,
    ...{ isVolatile: false, waitForSync: random.percent(10) },
    ...(random.percent(30) ? { keyOptions: keyOptions(traffic) } : {}),
    ...(random.percent(20) ? { numberOfShards: 1, replicationFactor: 1, shards: {} } : {}),
  };
  const taken = [world.named(name), recycleIds ? world.get(cid) : undefined];
  for (const each of taken) if (each) world.touched.add(each.cid);
  const query = queryOf({ recycleIds, overwrite: random.percent(60) });
  const path = `/_api/replication/restore-collection${query}`;
  const headers = random.percent(40) ? OF_3 : {};
  const answer = await traffic.send('PUT', path, { parameters, indexes: [] }, headers);
  if (!answer || parameters.deleted) return;
  const made = await traffic.send('GET', `/_api/collection/${name}`);
  for (const each of taken) if (each) world.drop(each.cid);
  world.add({ cid: (made!.json as Created).id, name, type });
};

/** Indexes of a backup, with ids of their own, some of which are taken. */
const restoreIndexes: TrafficOperation = async (traffic) => {
  const { random } = traffic;
  const collection = traffic.pick();
  if (!collection) return;
  const wanted = Array.from({ length: 1 + random.below(3) }, () => {
    const shown = wantedIndex(traffic);
    const { type } = shown;
    const known = type !== 'geo' && type !== 'bitarray';
    const definition = known ? shown : { type: 'geo1', fields: ['loc'], geoJson: false };
    const id = `${5_000 + random.below(12)}`;
    if (type === 'cap') collection.capped();
    return { unique: false, ...definition, ...(random.percent(70) ? { id } : {}) };
  });
  const indexes = [{ id: '0', type: 'primary', unique: true, fields: ['_key'] }, ...wanted];
  const body = { parameters: { name: collection.name, cid: collection.cid, type: 2 }, indexes };
  const path = `/_api/replication/restore-indexes${queryOf({ force: random.percent(50) })}`;
  await traffic.send('PUT', path, body, random.percent(40) ? OF_3 : {});
};

/** Whatever was written is on the disk. */
const flush: TrafficOperation = async (traffic) => {
  await traffic.send('PUT', '/_admin/wal/flush?waitForSync=true&waitForCollector=true');
};

/** Each as often as it is to be done. */
export const CATALOGUE_OPERATIONS: readonly (readonly [number, string, TrafficOperation])[] = [
  [8, 'create', create],
  [3, 'drop', drop],
  [3, 'recreate', recreate],
  [5, 'rename', rename],
  [3, 'swap names', swapNames],
  [4, 'change', changeProperties],
  [3, 'handle', handle],
  [9, 'create index', createIndex],
  [5, 'drop index', dropIndex],
  [5, 'restore collection', restoreCollection],
  [3, 'restore indexes', restoreIndexes],
  [1, 'flush', flush],
];
