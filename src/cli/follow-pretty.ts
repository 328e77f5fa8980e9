import { MarkerType } from '../model/marker.ts';
import type { CliIo } from './io.ts';
import { at, listAt, numberAt, textAt } from './json.ts';
import { type Look, type Paint, paintFor } from './paint.ts';
import { exactCounted } from './units.ts';

const WORD_WIDTH = 11;
const TICK_WIDTH = 15;
/** Narrower a document is not cut. */
const COLUMNS_MIN = 40;

/** Log lines for people: tick, what happened, to what, and the beginning of the document. */
export class PrettyLog {
  readonly #paint: Paint;
  readonly #columns: () => number;

  constructor(io: CliIo) {
    this.#paint = paintFor(io);
    // What is not read on a terminal is not cut.
    this.#columns = () => io.size?.().columns ?? Number.POSITIVE_INFINITY;
  }

  /** A page of lines; one that is no JSON stays as it is. */
  page(body: Buffer): Buffer {
    const lines = body.toString('utf8').split('\n');
    const shown = lines.map((line) => (line === '' ? '' : this.#line(line)));
    return Buffer.from(shown.join('\n'));
  }

  #line(text: string): string {
    let entry: unknown;
    try {
      entry = JSON.parse(text);
    } catch {
      return text;
    }
    const [look, word, what, more] = describe(entry);
    const tick = (textAt(entry, 'tick') ?? '').padStart(TICK_WIDTH);
    const tid = textAt(entry, 'tid');
    const inside = tid === undefined || tid === '0' ? '' : `  [transaction ${tid}]`;
    const room = this.#columns() - TICK_WIDTH - WORD_WIDTH - what.length - inside.length - 6;
    const rest =
      more === '' ? '' : `  ${this.#paint('dim', cut(more, Math.max(room, COLUMNS_MIN)))}`;
    const head = `${this.#paint('dim', tick)}  ${this.#paint(look, word.padEnd(WORD_WIDTH))}`;
    return `${head} ${what}${inside}${rest}`.trimEnd();
  }
}

/** How it looks, what happened, to what, and more about it. */
function describe(entry: unknown): [Look, string, string, string] {
  const type = numberAt(entry, 'type');
  const collection = textAt(entry, 'cname') ?? '';
  const id = `${collection}/${textAt(entry, 'key') ?? ''}`;
  switch (type) {
    case MarkerType.document:
    case MarkerType.edge:
      return textAt(entry, 'oldRev') === undefined
        ? ['green', 'insert', id, dataOf(entry)]
        : ['yellow', 'update', id, dataOf(entry)];
    case MarkerType.remove:
      return ['red', 'remove', id, ''];
    case MarkerType.collectionCreate:
      return ['bold', 'create', collection, ''];
    case MarkerType.collectionDrop:
      return ['red', 'drop', collection, ''];
    case MarkerType.collectionRename:
      return ['bold', 'rename', collection, `to ${textAt(entry, 'collection', 'name') ?? '?'}`];
    case MarkerType.collectionChange:
      return ['bold', 'properties', collection, JSON.stringify(at(entry, 'collection') ?? {})];
    case MarkerType.indexCreate:
      return ['bold', 'index', collection, JSON.stringify(at(entry, 'index') ?? {})];
    case MarkerType.indexDrop:
      return ['red', 'drop index', collection, textAt(entry, 'id') ?? ''];
    case MarkerType.transactionStart:
      return ['bold', 'begin', transactionOf(entry), ''];
    case MarkerType.transactionCommit:
      return ['bold', 'commit', transactionOf(entry), ''];
    case MarkerType.loggerStart:
      return ['bold', 'logger', 'was started', ''];
    case MarkerType.loggerStop:
      return ['red', 'logger', 'was stopped', ''];
    default:
      return ['bold', `type ${type ?? '?'}`, collection, ''];
  }
}

/** The document without what is said already. */
function dataOf(entry: unknown): string {
  const data = at(entry, 'data');
  if (typeof data !== 'object' || data === null) return '';
  const own = Object.entries(data).filter(([name]) => !['_id', '_key', '_rev'].includes(name));
  return JSON.stringify(Object.fromEntries(own));
}

function transactionOf(entry: unknown): string {
  const operations = listAt(entry, 'collections')
    .map(
      (each) =>
        `${textAt(each, 'name') ?? '?'} ${exactCounted(numberAt(each, 'operations') ?? 0, 'operation')}`,
    )
    .join(', ');
  return operations === '' ? 'transaction' : operations;
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}
