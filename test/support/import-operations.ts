import type { Content, ModelDocument } from './leader-model.ts';
import { type Operation, assertSuccess, query } from './operation.ts';
import {
  UNIQUE_FIELD,
  type WriteTarget,
  type WriterContext,
  newContent,
  without,
} from './write-target.ts';

export interface ImportLimits {
  /** Documents of one import at most. */
  readonly documents: number;
  /** With more documents than that in the collection, imports overwrite. */
  readonly keys: number;
}

const ON_DUPLICATE = ['error', 'update', 'replace', 'ignore'] as const;
type OnDuplicate = (typeof ON_DUPLICATE)[number];

/** One document of an import; undefined is one that cannot be taken. */
type Sent = { readonly key: string; readonly content: Content } | undefined;

interface Outcome {
  created: number;
  updated: number;
  ignored: number;
  errors: number;
}

interface ImportPlan {
  readonly target: WriteTarget;
  readonly op: number;
  readonly sent: readonly Sent[];
  readonly complete: boolean;
  readonly onDuplicate: OnDuplicate;
}

const UPDATE_PERCENT = 30;
const BAD_PERCENT = 25;
const CONFLICT_STATUS = 409;

/** An import, which is one transaction: after a crash either all of it is there or nothing. */
export function importOperation(
  context: WriterContext,
  target: WriteTarget,
  limits: ImportLimits,
): Operation {
  const { random, model } = context;
  const plan = planImport(context, target, limits);
  const { sent, complete, onDuplicate } = plan;
  const asArray = random.percent(20);
  const texts = sent.map((each) => textOf(context, each, asArray));
  const parameters = query({
    collection: target.collection.name,
    type: asArray ? 'array' : 'documents',
    details: random.percent(50),
    waitForSync: random.percent(10),
    ...{ complete, onDuplicate },
  });
  return {
    method: 'POST',
    path: `/_api/import${parameters}`,
    body: asArray ? `[${texts.join(',')}]` : `${texts.join('\n')}\n`,
    answered: (answer) => {
      const outcome = apply(plan);
      if (complete && outcome.errors > 0) {
        if (answer.status === CONFLICT_STATUS) return;
        throw new Error(`a complete import with errors was answered ${answer.status}`);
      }
      assertSuccess(answer, 'an import');
      for (const [name, expected] of Object.entries(outcome)) {
        if (answer.body[name] === expected) continue;
        const said = JSON.stringify({ ...answer.body, details: undefined });
        throw new Error(`an import was answered ${said}, not with ${JSON.stringify(outcome)}`);
      }
      model.documentsWritten += outcome.created + outcome.updated;
      model.acknowledged++;
    },
    unanswered: (found) => {
      const documents = found.get(target.collection.cid)?.documents;
      const isSeen = plan.sent.some(
        (each) => each && documents?.get(each.key)?.data?.['op'] === plan.op,
      );
      if (isSeen) apply(plan);
    },
  };
}

function planImport(
  { random, model, name }: WriterContext,
  target: WriteTarget,
  limits: ImportLimits,
): ImportPlan {
  const op = model.nextOperation();
  const complete = random.percent(25);
  // Now and then a very small one; else mostly as large as may be.
  const count = random.percent(15) ? 1 + random.below(5) : 1 + random.below(limits.documents);
  const overwrites = random.percent(UPDATE_PERCENT);
  const isFull = target.size > limits.keys;
  const badPercent = random.percent(BAD_PERCENT) ? (complete ? 100 / count : 2) : 0;
  const sent = Array.from({ length: count }, (_, i): Sent => {
    if (badPercent > 0 && random.percent(badPercent)) return undefined;
    const existing = isFull || (overwrites && random.percent(30)) ? target.pick(random) : undefined;
    const content = newContent(random, op, target.isEdges);
    // Values that meet others would let nearly every complete import fail.
    const plain = without(content, UNIQUE_FIELD);
    const key = existing ?? `${name}:${op}.${i}`;
    return { key, content: complete && random.percent(95) ? plain : content };
  });
  const modes = overwrites || isFull ? ON_DUPLICATE.slice(1) : ON_DUPLICATE;
  return { target, op, sent, complete, onDuplicate: random.pick(modes) ?? 'error' };
}

function textOf({ random }: WriterContext, sent: Sent, asArray: boolean): string {
  if (sent) return JSON.stringify({ _key: sent.key, ...sent.content });
  const bad = ['[1,2]', '17', '{"_key":"no key/"}', '{"_key":5}'];
  return random.pick(asArray ? bad : [...bad, '{"a":', 'no JSON']) ?? '17';
}

/** Does to the model what the import must have done. */
function apply({ target, sent, complete, onDuplicate, op }: ImportPlan): Outcome {
  const before = new Map<string, ModelDocument | undefined>();
  const outcome: Outcome = { created: 0, updated: 0, ignored: 0, errors: 0 };
  for (const each of sent) {
    const result = each ? written(target, each, onDuplicate) : 'errors';
    if (typeof result === 'string') {
      outcome[result]++;
      if (complete && result === 'errors') {
        rollBack(target, before);
        break;
      }
      continue;
    }
    const { key } = each!;
    const old = target.get(key);
    if (!before.has(key)) before.set(key, old);
    outcome[old ? 'updated' : 'created']++;
    if (result['op'] !== op) throw new Error('a document must say which operation wrote it');
    target.put(key, { rev: undefined, content: result });
  }
  return outcome;
}

/** What the document becomes, or what is counted if it stays as it is. */
function written(
  target: WriteTarget,
  { key, content }: NonNullable<Sent>,
  onDuplicate: OnDuplicate,
): Content | 'errors' | 'ignored' {
  const old = target.get(key);
  if (old && onDuplicate === 'error') return 'errors';
  if (old && onDuplicate === 'ignore') return 'ignored';
  const result = old && onDuplicate === 'update' ? { ...old.content, ...content } : content;
  return target.collection.conflicts(key, result) ? 'errors' : result;
}

/** First all that is new goes, so that no unique value is in the way of what comes back. */
function rollBack(
  target: WriteTarget,
  before: ReadonlyMap<string, ModelDocument | undefined>,
): void {
  for (const key of before.keys()) target.remove(key);
  for (const [key, document] of before) if (document) target.put(key, document);
}
