import {
  type CollectionParameters,
  type IndexDefinition,
  isCollectionType,
  parametersFromWire,
} from '../model/collection.ts';
import { parseTick, type Tick, tickFromWire } from '../model/tick.ts';
import type { ReadNumbers } from './verify-gauge.ts';

/** One run of a ticklog leader; see the storage's record of the same name. */
export interface LeaderIncarnation {
  readonly id: string;
  /** No tick of this run is smaller. */
  readonly firstTick: Tick;
  /** Last tick of all earlier runs that this run found in its store. */
  readonly foundTick: Tick;
}

/** Who a leader is and where its log stands (contract 2.4, 6.1). */
export interface LeaderState {
  readonly serverId: string;
  readonly version: string;
  /** `mmfiles` or `rocksdb`; undefined for leaders that do not say. */
  readonly engine?: string;
  /** Whether the logger runs; always so from 2.2 on. */
  readonly running: boolean;
  /** Tick of the newest event, 0 when there never was one. */
  readonly lastLogTick: Tick;
  /** Runs of the leader, oldest first; only ticklog leaders tell. */
  readonly incarnations: readonly LeaderIncarnation[] | undefined;
}

/** Whom a ticklog leader follows itself. */
export interface LeaderApplier {
  /** Server id of the one whose log it has a position in. */
  readonly leaderId: string;
  /** Database there; undefined where it is called as its own. */
  readonly database: string | undefined;
  readonly isRunning: boolean;
}

/** An open dump batch. */
export interface LeaderBatch {
  readonly id: string;
  /** From 3.4 on: the tick of the snapshot that the batch is. */
  readonly lastTick?: Tick;
}

/** Transactions that a leader says are open at a tick (contract 2.9). */
export interface OpenOnLeader {
  /** Digits each. */
  readonly tids: readonly string[];
  /** Following must restart behind this tick to see all of them; 0 when the leader does not say. */
  readonly restartTick: Tick;
}

/** One collection a leader lists. */
export interface LeaderCollection {
  readonly parameters: CollectionParameters;
  /** In the order of their creation, without primary and edge index. */
  readonly indexes: readonly IndexDefinition[];
  /** From this tick on its removals are complete; only ticklog leaders tell. */
  readonly deletionsSince?: Tick;
  /** Live documents; only ticklog leaders tell. */
  readonly count?: number;
  /** Of its dump lines, superseded ones included; only ticklog leaders tell. */
  readonly bytes?: number;
}

/** What a leader has, as of one moment (contract 3.2). */
export interface LeaderInventory {
  /** In the leader's order: documents before edges, then by name. */
  readonly collections: readonly LeaderCollection[];
  /** Upper bound for dumping what is listed. */
  readonly tick: Tick;
  readonly state: { readonly running: boolean; readonly lastLogTick: Tick };
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Indexes that every collection has by itself. */
const OWN_INDEXES: ReadonlySet<unknown> = new Set(['primary', 'edge']);

/**
 * Says what is wrong with an answer. The client makes an invalidResponse of it that names the
 * leader.
 */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}

/** @throws BadAnswer when something that contract 6.1 requires is missing. */
export function readLeaderState(answer: unknown): LeaderState {
  const root = objectOf(answer, 'the answer');
  const state = objectOf(root['state'], 'state');
  const server = objectOf(root['server'], 'server');
  const { serverId, version, engine } = server;
  if (typeof version !== 'string') throw new BadAnswer('server.version is no string');
  if (typeof serverId !== 'string') throw new BadAnswer('server.serverId is no string');
  const incarnations = server['incarnations'];
  return {
    serverId,
    version,
    ...(typeof engine === 'string' ? { engine } : {}),
    ...logState(state),
    incarnations: Array.isArray(incarnations) ? incarnations.map(incarnationOf) : undefined,
  };
}

/**
 * Entries without a name, deleted ones, and those that are neither documents nor edges are passed
 * over (contract 6.2, step 4).
 *
 * @throws BadAnswer when the list is none, or an entry lacks its id or its indexes
 */
export function readInventory(answer: unknown): LeaderInventory {
  const root = objectOf(answer, 'the answer');
  const entries = root['collections'];
  if (!Array.isArray(entries)) throw new BadAnswer('collections is no list');
  const tick = tickFromWire(root['tick']);
  if (tick === undefined) throw new BadAnswer('tick is no tick');
  return {
    collections: entries.flatMap((entry: unknown) => collectionOf(entry) ?? []),
    tick,
    state: logState(objectOf(root['state'], 'state')),
  };
}

/** The list of collections, which from 3.0 on has another name (contract 9.2). @throws BadAnswer when it is none */
export function readCollectionNames(answer: unknown): readonly string[] {
  const { collections, result } = objectOf(answer, 'the answer');
  const list = collections ?? result;
  if (!Array.isArray(list)) throw new BadAnswer('collections is no list');
  return list.map((entry: unknown) => {
    const { name } = objectOf(entry, 'a collection');
    if (typeof name !== 'string') throw new BadAnswer('a collection has no name');
    return name;
  });
}

/**
 * The state of a ticklog leader's own applier; undefined when that is not set up, or has no position yet.
 * @throws BadAnswer when it is none
 */
export function readLeaderApplier(answer: unknown): LeaderApplier | undefined {
  const { state: given, endpoint, database } = objectOf(answer, 'the answer');
  const state = objectOf(given, 'state');
  const { leaderId, running } = state;
  if (endpoint === undefined || typeof leaderId !== 'string') return undefined;
  return {
    leaderId,
    database: typeof database === 'string' ? database : undefined,
    isRunning: running === true,
  };
}

/** Of the settings of an applier: whether it starts with the server. @throws BadAnswer when they are none */
export function readAutoStart(answer: unknown): boolean {
  return objectOf(answer, 'the answer')['autoStart'] === true;
}

/** @throws BadAnswer when there is no id in it. */
export function readId(answer: unknown, name: string): string {
  const id = objectOf(answer, 'the answer')[name];
  if (typeof id !== 'string' || !/^[0-9]+$/.test(id)) throw new BadAnswer(`${name} is no id`);
  return id;
}

/** A checksum, which 1.4 has as a number, 3.x as digits. @throws BadAnswer when it is neither */
export function readChecksum(answer: unknown): string {
  const { checksum } = objectOf(answer, 'the answer');
  const text = typeof checksum === 'number' ? String(checksum) : checksum;
  if (typeof text !== 'string' || !/^[0-9]+$/.test(text)) {
    throw new BadAnswer('checksum is no number');
  }
  return text;
}

/** Of what goes over a collection, the newest checksum. @throws BadAnswer */
export function readChecksumWork(answer: unknown): ReadNumbers | undefined {
  const { works } = objectOf(answer, 'the answer');
  if (!Array.isArray(works)) throw new BadAnswer('works is no list');
  const work = works
    .map((each) => objectOf(each, 'an entry of works'))
    .findLast(({ kind }) => kind === 'checksum');
  const { documentsDone, documentsExpected } = work ?? {};
  if (typeof documentsDone !== 'number' || typeof documentsExpected !== 'number') return undefined;
  return { documentsDone, documentsExpected };
}

/** The answer to the opening of a batch (contract 3.3). @throws BadAnswer when there is no id in it. */
export function readBatch(answer: unknown): LeaderBatch {
  const lastTick = tickFromWire(objectOf(answer, 'the answer')['lastTick']);
  return { id: readId(answer, 'id'), ...(lastTick === undefined ? {} : { lastTick }) };
}

/** A list of transaction ids. @throws BadAnswer when it is none. */
export function readTids(answer: unknown): readonly string[] {
  if (!Array.isArray(answer)) throw new BadAnswer('the answer is no list');
  return answer.map((each: unknown) => {
    const tid = tickFromWire(each);
    if (tid === undefined) throw new BadAnswer('the list holds no transaction ids');
    return tid.toString();
  });
}

/** A tick of a header. @throws BadAnswer when it is none. */
export function headerTick(name: string, value: string): Tick {
  const tick = parseTick(value.trim());
  if (tick === undefined) throw new BadAnswer(`header ${name} is no tick`);
  return tick;
}

function logState(state: JsonObject): { running: boolean; lastLogTick: Tick } {
  const lastLogTick = tickFromWire(state['lastLogTick']);
  if (lastLogTick === undefined) throw new BadAnswer('state.lastLogTick is no tick');
  return { running: state['running'] !== false, lastLogTick };
}

function incarnationOf(value: unknown): LeaderIncarnation {
  const { id, firstTick, foundTick } = objectOf(value, 'an incarnation');
  const first = tickFromWire(firstTick);
  const found = tickFromWire(foundTick);
  if (typeof id !== 'string' || first === undefined || found === undefined) {
    throw new BadAnswer('an incarnation is not complete');
  }
  return { id, firstTick: first, foundTick: found };
}

function collectionOf(entry: unknown): LeaderCollection | undefined {
  const { parameters: wire, indexes, ticklog } = objectOf(entry, 'a collection');
  const { name, type, deleted } = objectOf(wire, 'parameters of a collection');
  if (!Array.isArray(indexes)) throw new BadAnswer('indexes of a collection are no list');
  if (typeof name !== 'string' || name === '') return undefined;
  if (deleted === true || !isCollectionType(type)) return undefined;
  const parameters = parametersFromWire(wire);
  if (!parameters) throw new BadAnswer(`collection '${name}' has no cid`);
  const { deletionsSince, count, bytes } = isObject(ticklog) ? ticklog : {};
  const since = tickFromWire(deletionsSince);
  return {
    parameters,
    indexes: indexes.flatMap((index: unknown) => indexOf(index, name) ?? []),
    ...(since === undefined ? {} : { deletionsSince: since }),
    ...(typeof count === 'number' ? { count } : {}),
    ...(typeof bytes === 'number' ? { bytes } : {}),
  };
}

function indexOf(value: unknown, collection: string): IndexDefinition | undefined {
  const index = objectOf(value, `an index of '${collection}'`);
  const { id, type, unique, ...rest } = index;
  if (OWN_INDEXES.has(type)) return undefined;
  if (typeof id !== 'string' || !/^[0-9]{1,19}$/.test(id) || typeof type !== 'string') {
    throw new BadAnswer(`an index of '${collection}' has no id or no type`);
  }
  return { id, type, unique: unique === true, ...rest };
}

function objectOf(value: unknown, what: string): JsonObject {
  if (!isObject(value)) throw new BadAnswer(`${what} is no object`);
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
