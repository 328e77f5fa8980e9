import { ModelCollection, type ModelIndex } from './leader-model.ts';
import { type JsonAnswer, type Operation, assertRefused, assertSuccess } from './operation.ts';
import type { FoundServer } from './server-reading.ts';
import {
  DOCUMENT_COLLECTION,
  EDGE_COLLECTION,
  PLAIN_FIELD,
  UNIQUE_FIELD,
  WriteTarget,
  type WriterContext,
} from './write-target.ts';

const DUPLICATE_NAME = 1207;
const UNIQUE_VIOLATED = 1210;
const MIB = 1024 * 1024;
const NAMES = ['a', 'b', 'c', 'd'];

/** The collections of which one writer is the only one. */
export type OwnTargets = Set<WriteTarget>;

/** A new collection under one of the writer's few names, which may be taken. */
export function createOperation(context: WriterContext, own: OwnTargets): Operation {
  const { random, model } = context;
  const name = ownName(context);
  const type = random.percent(30) ? EDGE_COLLECTION : DOCUMENT_COLLECTION;
  const waitForSync = random.percent(10);
  const journalSize = random.percent(50) ? MIB + random.below(1000) : undefined;
  const keyOptions = random.percent(15)
    ? { type: 'autoincrement', allowUserKeys: true, offset: random.below(9), increment: 3 }
    : undefined;
  const isTaken = takenBy(own, name) !== undefined;
  const add = (cid: string): void => {
    const collection = model.add(new ModelCollection({ cid, name, type }));
    collection.waitForSync = waitForSync;
    collection.journalSize = journalSize;
    own.add(new WriteTarget(collection));
  };
  return {
    method: 'POST',
    path: '/_api/collection',
    body: JSON.stringify({ name, type, waitForSync, journalSize, keyOptions }),
    answered: (answer) => {
      if (isTaken) {
        assertRefused(answer, DUPLICATE_NAME, 'a second collection of one name');
        return;
      }
      assertSuccess(answer, 'the creation of a collection');
      model.acknowledged++;
      add(String(answer.body['id']));
    },
    unanswered: (found) => {
      const there = [...found.values()].find((each) => each.name === name);
      if (!isTaken && there) add(there.cid);
    },
  };
}

export function dropOperation(
  { model }: WriterContext,
  own: OwnTargets,
  target: WriteTarget,
): Operation {
  const { collection } = target;
  const forget = (): void => {
    model.drop(collection);
    own.delete(target);
  };
  return {
    method: 'DELETE',
    path: `/_api/collection/${target.path}`,
    answered: (answer) => {
      assertSuccess(answer, 'a drop');
      model.acknowledged++;
      forget();
    },
    unanswered: (found) => {
      if (!found.has(collection.cid)) forget();
    },
  };
}

/** To another of the writer's names, which may be taken. */
export function renameOperation(
  context: WriterContext,
  own: OwnTargets,
  { collection, path }: WriteTarget,
): Operation {
  const name = ownName(context);
  const isTaken = takenBy(own, name) !== undefined;
  return {
    method: 'PUT',
    path: `/_api/collection/${path}/rename`,
    body: JSON.stringify({ name }),
    answered: (answer) => {
      if (isTaken) {
        assertRefused(answer, DUPLICATE_NAME, 'a rename to a name that is taken');
        return;
      }
      assertSuccess(answer, 'a rename');
      context.model.acknowledged++;
      collection.name = name;
    },
    unanswered: (found) => {
      if (!isTaken && found.get(collection.cid)?.name === name) collection.name = name;
    },
  };
}

export function propertiesOperation(
  { random, model }: WriterContext,
  { collection, path }: WriteTarget,
): Operation {
  const waitForSync = random.percent(10);
  // Not what it was, so that it shows whether it was changed.
  const journalSize = (collection.journalSize ?? MIB) + 1 + random.below(100);
  const change = (): void => {
    collection.waitForSync = waitForSync;
    collection.journalSize = journalSize;
  };
  return {
    method: 'PUT',
    path: `/_api/collection/${path}/properties`,
    body: JSON.stringify({ waitForSync, journalSize }),
    answered: (answer) => {
      assertSuccess(answer, 'a change of properties');
      model.acknowledged++;
      change();
    },
    unanswered: (found) => {
      if (found.get(collection.cid)?.parameters['maximalSize'] === journalSize) change();
    },
  };
}

export function truncateOperation({ model }: WriterContext, target: WriteTarget): Operation {
  const { collection, path } = target;
  return {
    method: 'PUT',
    path: `/_api/collection/${path}/truncate`,
    answered: (answer) => {
      assertSuccess(answer, 'a truncate');
      model.acknowledged++;
      target.clear();
    },
    // It is one transaction: if one document is gone all must be.
    unanswered: (found) => {
      const left = found.get(collection.cid)?.documents.size ?? 0;
      if (left < collection.documents.size) target.clear();
    },
  };
}

/** @param mayBeUnique whether nobody else writes to the collection, so that the outcome is known before */
export function createIndexOperation(
  { random, model }: WriterContext,
  { collection }: WriteTarget,
  mayBeUnique: boolean,
): Operation {
  const unique = mayBeUnique && random.percent(50);
  const sparse = random.percent(50) ? undefined : random.percent(80);
  const wanted: Omit<ModelIndex, 'id'> = {
    type: random.pick(['hash', 'skiplist', 'persistent']) ?? 'hash',
    field: unique ? UNIQUE_FIELD : PLAIN_FIELD,
    ...{ unique, sparse },
  };
  const isThere = collection.sameIndex(wanted) !== undefined;
  const isAllowed = collection.allows(wanted);
  const { type, field } = wanted;
  return {
    method: 'POST',
    path: `/_api/index?collection=${encodeURIComponent(collection.name)}`,
    body: JSON.stringify({ type, fields: [field], unique, sparse }),
    answered: (answer) => {
      if (!isThere && !isAllowed) {
        assertRefused(answer, UNIQUE_VIOLATED, 'a unique index over equal values');
        return;
      }
      assertIndexCreated(answer, !isThere);
      model.acknowledged++;
      if (!isThere) collection.addIndex({ ...wanted, id: indexIdOf(answer) });
    },
    unanswered: (found) => {
      const added = newIndexIn(found, collection);
      if (added !== undefined && !isThere && isAllowed) {
        collection.addIndex({ ...wanted, id: added });
      }
    },
  };
}

/** undefined when there is none to be dropped. */
export function dropIndexOperation(
  { random, model }: WriterContext,
  { collection, path }: WriteTarget,
): Operation | undefined {
  const id = random.pick([...collection.indexes.keys()]);
  if (id === undefined) return undefined;
  return {
    method: 'DELETE',
    path: `/_api/index/${path}/${id}`,
    answered: (answer) => {
      assertSuccess(answer, 'the drop of an index');
      model.acknowledged++;
      collection.dropIndex(id);
    },
    unanswered: (found) => {
      const { indexes = [] } = found.get(collection.cid) ?? {};
      if (!indexes.some((index) => index['id'] === id)) collection.dropIndex(id);
    },
  };
}

function ownName({ random, name }: WriterContext): string {
  return `${name}${random.pick(NAMES) ?? 'a'}`;
}

function takenBy(own: OwnTargets, name: string): WriteTarget | undefined {
  return [...own].find(({ collection }) => collection.name === name);
}

function assertIndexCreated(answer: JsonAnswer, isNew: boolean): void {
  assertSuccess(answer, 'the creation of an index');
  if (answer.body['isNewlyCreated'] === isNew) return;
  throw new Error(`an index was ${isNew ? '' : 'not '}new, but: ${JSON.stringify(answer.body)}`);
}

/** Without the collection's name before it. */
function indexIdOf({ body }: JsonAnswer): string {
  return String(body['id']).split('/').at(-1) ?? '';
}

function newIndexIn(found: FoundServer, collection: ModelCollection): string | undefined {
  const { indexes = [] } = found.get(collection.cid) ?? {};
  const added = indexes.find((index) => !collection.indexes.has(String(index['id'])));
  return added && String(added['id']);
}
