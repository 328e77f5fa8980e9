import { isDeepStrictEqual } from 'node:util';
import type { Content } from './leader-model.ts';
import { type JsonAnswer, type Operation, assertSuccess, query } from './operation.ts';
import { type FoundCollection, type FoundServer, foundDocument } from './server-reading.ts';
import { UNIQUE_FIELD, type WriterContext, newContent, without } from './write-target.ts';

/** One write to one document: when it was under way, and what the document was if it was the last. */
interface Write {
  /** Places in the order of all that began and ended here. */
  readonly begun: number;
  /** Infinity while there is no answer; then it may not have been done at all. */
  ended: number;
  /** undefined: no document. */
  readonly content: Content | undefined;
}

const KEYS = 150;
const IMPORT_MAX = 60;
const DIFFERENCES_MAX = 10;
/** Too many for all to be there at a time: writers get in each other's way. */
const UNIQUE_VALUES = 40;
const UNIQUE_VIOLATED = 1210;
const DOCUMENT_NOT_FOUND = 1202;

/**
 * A collection in which all writers write the same keys at the same time, truncates among them, with a
 * unique index. A document may be what any write made of it behind whose end no other one began that was
 * answered.
 */
export class Arena {
  readonly name: string;
  readonly cid: string;
  /** By key: what may have been the last write. */
  readonly #writes = new Map<string, Write[]>();
  #time = 0;

  constructor(options: { name: string; cid: string }) {
    this.name = options.name;
    this.cid = options.cid;
  }

  operation(context: WriterContext): Operation {
    const chance = context.random.below(100);
    if (chance < 50) return this.#insert(context);
    if (chance < 70) return this.#replace(context);
    if (chance < 90) return this.#remove(context);
    return chance < 97 ? this.#import(context) : this.#truncate(context);
  }

  /**
   * Compares with what the leader holds while nobody writes; what it holds now is certain from here on.
   * @returns a sentence for each of the first differences
   */
  settle(found: FoundServer): string[] {
    const collection = found.get(this.cid);
    if (!collection) return [`${this.name} is missing`];
    const differences = this.#differences(collection);
    this.#writes.clear();
    const now = this.#time++;
    for (const [key, entry] of collection.documents) {
      const { content } = foundDocument(entry);
      this.#writes.set(key, [{ begun: now, ended: now, content }]);
    }
    return differences.slice(0, DIFFERENCES_MAX);
  }

  #differences({ documents }: FoundCollection): string[] {
    const differences: string[] = [];
    const owners = new Map<unknown, string>();
    for (const key of new Set([...documents.keys(), ...this.#writes.keys()])) {
      const entry = documents.get(key);
      const content = entry && foundDocument(entry).content;
      const possible = this.#possible(key);
      if (!possible.some((each) => isDeepStrictEqual(each, content))) {
        const texts = possible.map((each) => JSON.stringify(each ?? null)).join(' or ');
        differences.push(`${this.name}/${key} is ${JSON.stringify(content ?? null)}, not ${texts}`);
      }
      const value = content?.[UNIQUE_FIELD];
      const owner = value === undefined ? undefined : owners.get(value);
      if (owner !== undefined) {
        differences.push(`${this.name}: ${owner} and ${key} hold the same unique value`);
      }
      if (value !== undefined) owners.set(value, key);
    }
    return differences;
  }

  #possible(key: string): (Content | undefined)[] {
    const writes = this.#writes.get(key) ?? [];
    const contents = writes.map(({ content }) => content);
    // Without a write that is certain it may still be as it began: not there.
    return writes.some(({ ended }) => ended < Infinity) ? contents : [...contents, undefined];
  }

  #insert({ random, model }: WriterContext): Operation {
    const key = this.#key(random.below(KEYS));
    const content = contested(random, model.nextOperation());
    const collection = this.name;
    const overwriteMode = random.percent(60) ? 'replace' : undefined;
    return this.#write(new Map([[key, content]]), [UNIQUE_VIOLATED], {
      method: 'POST',
      path: `/_api/document${query({ collection, overwriteMode })}`,
      body: JSON.stringify({ _key: key, ...content }),
    });
  }

  #replace({ random, model }: WriterContext): Operation {
    const key = this.#key(random.below(KEYS));
    const content = contested(random, model.nextOperation());
    return this.#write(new Map([[key, content]]), [UNIQUE_VIOLATED, DOCUMENT_NOT_FOUND], {
      method: 'PUT',
      path: `/_api/document/${this.name}/${key}`,
      body: JSON.stringify(content),
    });
  }

  #remove({ random }: WriterContext): Operation {
    const key = this.#key(random.below(KEYS));
    const path = `/_api/document/${this.name}/${key}`;
    return this.#write(new Map([[key, undefined]]), [DOCUMENT_NOT_FOUND], {
      method: 'DELETE',
      path,
    });
  }

  /** Without unique values, so that nothing can keep a document of it out. */
  #import({ random, model }: WriterContext): Operation {
    const op = model.nextOperation();
    const contents = new Map<string, Content>();
    for (let i = random.below(IMPORT_MAX); i >= 0; i--) {
      const content = without(newContent(random, op, false), UNIQUE_FIELD);
      contents.set(this.#key(random.below(KEYS)), content);
    }
    const texts = [...contents].map(([key, content]) => JSON.stringify({ _key: key, ...content }));
    const parameters = { collection: this.name, type: 'documents', onDuplicate: 'replace' };
    const complete = random.percent(50);
    return this.#write(contents, [], {
      method: 'POST',
      path: `/_api/import${query({ ...parameters, complete })}`,
      body: texts.join('\n'),
    });
  }

  #truncate(_context: WriterContext): Operation {
    const keys = Array.from({ length: KEYS }, (_, n) => this.#key(n));
    return this.#write(new Map(keys.map((key) => [key, undefined])), [], {
      method: 'PUT',
      path: `/_api/collection/${this.name}/truncate`,
    });
  }

  #key(n: number): string {
    return `k${n}`;
  }

  /** @param refusals error numbers with which it is not done, as others got there first */
  #write(
    contents: ReadonlyMap<string, Content | undefined>,
    refusals: readonly number[],
    request: Pick<Operation, 'method' | 'path' | 'body'>,
  ): Operation {
    const begun = this.#time++;
    const writes = new Map(
      [...contents].map(([key, content]): [string, Write] => [
        key,
        { begun, ended: Infinity, content },
      ]),
    );
    for (const [key, write] of writes) this.#writesOf(key).push(write);
    return {
      ...request,
      answered: (answer) => {
        const isDone = wasDone(answer, refusals, request.path);
        const now = this.#time++;
        for (const [key, write] of writes) {
          if (isDone) this.#acknowledge(key, write, now);
          else this.#forget(key, write);
        }
      },
      // It stays one that may have been the last, until that is settled.
      unanswered: () => undefined,
    };
  }

  #writesOf(key: string): Write[] {
    const writes = this.#writes.get(key) ?? [];
    this.#writes.set(key, writes);
    return writes;
  }

  /** Whatever had ended when it began was not the last one. */
  #acknowledge(key: string, write: Write, now: number): void {
    write.ended = now;
    const left = this.#writesOf(key).filter(({ ended }) => ended >= write.begun);
    this.#writes.set(key, left);
  }

  #forget(key: string, write: Write): void {
    const left = this.#writesOf(key).filter((each) => each !== write);
    this.#writes.set(key, left);
  }
}

function contested(random: WriterContext['random'], op: number): Content {
  const content = without(newContent(random, op, false), UNIQUE_FIELD);
  return random.percent(60) ? { ...content, [UNIQUE_FIELD]: random.below(UNIQUE_VALUES) } : content;
}

function wasDone(answer: JsonAnswer, refusals: readonly number[], what: string): boolean {
  const { errorNum, errors = 0 } = answer.body;
  if (refusals.includes(Number(errorNum))) return false;
  assertSuccess(answer, what);
  if (errors !== 0) throw new Error(`${what} was answered ${JSON.stringify(answer.body)}`);
  return true;
}
