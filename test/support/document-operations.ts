import type { Content, ModelDocument } from './leader-model.ts';
import {
  type JsonAnswer,
  type Operation,
  assertRefused,
  assertSuccess,
  query,
} from './operation.ts';
import type { FoundServer } from './server-reading.ts';
import { type WriteTarget, type WriterContext, newSingleContent, without } from './write-target.ts';

const UNIQUE_VIOLATED = 1210;
const CONFLICT = 1200;
const SYNCED = [200, 201];
const SYNC_PERCENT = 4;
/** A revision that no document has. */
const NO_REVISION = '1';

/** A write of one document whose outcome the model knows before. */
interface DocumentWrite {
  readonly what: string;
  readonly op: number;
  readonly target: WriteTarget;
  readonly key: string;
  /** What it makes of the document; undefined removes it. */
  readonly content: Content | undefined;
  /** Number of the error that it must be refused with. */
  readonly refusal: number | undefined;
  readonly request: Pick<Operation, 'method' | 'path' | 'body'>;
  readonly waitForSync: boolean;
}

/** Some write of one document of this writer. */
export function documentOperation(context: WriterContext, target: WriteTarget): Operation {
  const { random } = context;
  const key = target.pick(random);
  const old = key === undefined ? undefined : target.get(key);
  if (key === undefined || !old) return insert(context, target);
  const chance = random.below(100);
  if (chance < 35) return insert(context, target);
  if (chance < 40) return insertOver(context, target, key, old);
  if (chance < 55) return replace(context, target, key, old);
  if (chance < 78) return patch(context, target, key, old);
  return remove(context, target, key, old);
}

function insert(context: WriterContext, target: WriteTarget): Operation {
  const { random, model, name } = context;
  if (random.percent(10)) return insertWithoutKey(context, target);
  const op = model.nextOperation();
  const existing = random.percent(5) ? target.pick(random) : undefined;
  const key = existing ?? `${name}:${op}`;
  const content = newSingleContent(random, op, target.isEdges);
  const refused = existing !== undefined || target.collection.conflicts(key, content);
  const waitForSync = random.percent(SYNC_PERCENT);
  return operationOf(context, {
    ...{ what: 'an insert', op, target, key, content, waitForSync },
    refusal: refused ? UNIQUE_VIOLATED : undefined,
    request: insertRequest(target, { _key: key, ...content }, { waitForSync }),
  });
}

/** Insert of a key that exists, which replaces the document or is merged into it. */
function insertOver(
  context: WriterContext,
  target: WriteTarget,
  key: string,
  old: ModelDocument,
): Operation {
  const { random, model } = context;
  const op = model.nextOperation();
  const overwriteMode = random.percent(50) ? 'replace' : 'update';
  const sent = newSingleContent(random, op, target.isEdges);
  const content = overwriteMode === 'replace' ? sent : { ...old.content, ...sent };
  return operationOf(context, {
    ...{ what: `an insert with ${overwriteMode}`, op, target, key, content, waitForSync: false },
    refusal: target.collection.conflicts(key, content) ? UNIQUE_VIOLATED : undefined,
    request: insertRequest(target, { _key: key, ...sent }, { overwriteMode }),
  });
}

function insertRequest(
  target: WriteTarget,
  document: Content,
  parameters: { waitForSync?: boolean; overwriteMode?: string },
): DocumentWrite['request'] {
  const collection = target.collection.name;
  if (!target.isEdges) {
    const path = `/_api/document${query({ collection, ...parameters })}`;
    return { method: 'POST', path, body: JSON.stringify(document) };
  }
  const { _from, _to, ...rest } = document;
  const ends = { from: String(_from), to: String(_to) };
  const path = `/_api/edge${query({ collection, ...ends, ...parameters })}`;
  return { method: 'POST', path, body: JSON.stringify(rest) };
}

/** The server makes the key; without an answer the document is found by its operation. */
function insertWithoutKey({ random, model }: WriterContext, target: WriteTarget): Operation {
  const op = model.nextOperation();
  const content = newSingleContent(random, op, target.isEdges);
  const refused = target.collection.conflicts('', content);
  return {
    ...insertRequest(target, content, {}),
    answered: (answer) => {
      if (refused) {
        assertRefused(answer, UNIQUE_VIOLATED, 'an insert without a key');
        return;
      }
      assertSuccess(answer, 'an insert without a key');
      target.put(String(answer.body['_key']), { rev: String(answer.body['_rev']), content });
      noteWritten(model);
    },
    unanswered: (found) => {
      const { documents = [] } = found.get(target.collection.cid) ?? {};
      for (const [key, { data }] of documents) {
        if (data?.['op'] === op) target.put(key, { rev: undefined, content });
      }
    },
  };
}

function replace(
  context: WriterContext,
  target: WriteTarget,
  key: string,
  old: ModelDocument,
): Operation {
  const { random, model } = context;
  const op = model.nextOperation();
  const { _from, _to } = old.content;
  const sent = newSingleContent(random, op, false);
  // The ends of an edge stay.
  const content = target.isEdges ? { ...sent, _from, _to } : sent;
  const { rev, refusal } = precondition(context, old);
  const conflicts = target.collection.conflicts(key, content);
  return operationOf(context, {
    ...{ what: 'a replace', op, target, key, content, waitForSync: false },
    refusal: refusal ?? (conflicts ? UNIQUE_VIOLATED : undefined),
    request: {
      method: 'PUT',
      path: documentPath(target, key, { rev }),
      body: JSON.stringify(sent),
    },
  });
}

function patch(
  context: WriterContext,
  target: WriteTarget,
  key: string,
  old: ModelDocument,
): Operation {
  const { random, model } = context;
  const op = model.nextOperation();
  const sent = newSingleContent(random, op, false);
  const names = Object.keys(sent).filter((name) => name !== 'op' && random.percent(40));
  const changes: Content = { op, ...Object.fromEntries(names.map((name) => [name, sent[name]])) };
  const drops = random.percent(15);
  const merged = { ...old.content, ...changes };
  const content = drops ? without(merged, 'text') : merged;
  const { rev, refusal } = precondition(context, old);
  const waitForSync = random.percent(SYNC_PERCENT);
  const conflicts = target.collection.conflicts(key, content);
  const parameters = { rev, waitForSync, keepNull: drops ? false : undefined };
  return operationOf(context, {
    ...{ what: 'a patch', op, target, key, content, waitForSync },
    refusal: refusal ?? (conflicts ? UNIQUE_VIOLATED : undefined),
    request: {
      method: 'PATCH',
      path: documentPath(target, key, parameters),
      body: JSON.stringify(drops ? { ...changes, text: null } : changes),
    },
  });
}

function remove(
  context: WriterContext,
  target: WriteTarget,
  key: string,
  old: ModelDocument,
): Operation {
  const { random, model } = context;
  const { rev, refusal } = precondition(context, old);
  const waitForSync = random.percent(SYNC_PERCENT);
  return operationOf(context, {
    ...{ what: 'a removal', op: model.nextOperation(), target, key, waitForSync, refusal },
    content: undefined,
    request: { method: 'DELETE', path: documentPath(target, key, { rev, waitForSync }) },
  });
}

/** Sometimes the revision that the document has, sometimes another one. */
function precondition(
  { random }: WriterContext,
  old: ModelDocument,
): { rev: string | undefined; refusal: number | undefined } {
  if (random.percent(80)) return { rev: undefined, refusal: undefined };
  if (random.percent(20)) return { rev: NO_REVISION, refusal: CONFLICT };
  return { rev: old.rev, refusal: undefined };
}

function documentPath(
  target: WriteTarget,
  key: string,
  parameters: Parameters<typeof query>[0],
): string {
  return `/_api/document/${target.path}/${encodeURIComponent(key)}${query(parameters)}`;
}

function operationOf({ model }: WriterContext, write: DocumentWrite): Operation {
  const { what, target, key, content, refusal, request, waitForSync } = write;
  return {
    ...request,
    answered: (answer) => {
      if (refusal !== undefined) {
        assertRefused(answer, refusal, what);
        return;
      }
      assertWritten(answer, what, waitForSync);
      if (content) target.put(key, { rev: String(answer.body['_rev']), content });
      else target.remove(key);
      noteWritten(model);
    },
    unanswered: (found) => {
      if (refusal !== undefined || !isDone(write, found)) return;
      if (content) target.put(key, { rev: undefined, content });
      else target.remove(key);
    },
  };
}

function isDone({ op, target, key, content }: DocumentWrite, found: FoundServer): boolean {
  const entry = found.get(target.collection.cid)?.documents.get(key);
  return content ? entry?.data?.['op'] === op : entry === undefined;
}

function assertWritten(answer: JsonAnswer, what: string, waitForSync: boolean): void {
  assertSuccess(answer, what);
  if (!waitForSync || SYNCED.includes(answer.status)) return;
  throw new Error(`${what} with waitForSync was answered ${answer.status}`);
}

function noteWritten(model: WriterContext['model']): void {
  model.documentsWritten++;
  model.acknowledged++;
}
