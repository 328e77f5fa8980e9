import { at, listAt, numberAt, textAt } from './json.ts';
import { durationText, exactCount, percentText, rateText } from './units.ts';

/** Something that goes over all documents of a collection, whoever asked for it. */
export interface WorkReport {
  /** `checksum`, `index`, `search` or `count`. */
  readonly kind: string;
  readonly collection: string;
  /** What is built; null where it is no index. */
  readonly index: { readonly type: string; readonly fields: readonly string[] } | null;
  readonly documentsDone: number;
  readonly documentsExpected: number;
  readonly documentsPerSecond: number;
  /** Null where it cannot be known. */
  readonly secondsLeft: number | null;
}

/** Reads `works` of an overview; none where the server does not tell. */
export function workReports(overview: unknown): WorkReport[] {
  return listAt(overview, 'works').map((work) => ({
    kind: textAt(work, 'kind') ?? '',
    collection: textAt(work, 'collection', 'name') ?? '?',
    index:
      at(work, 'index') === undefined
        ? null
        : {
            type: textAt(work, 'index', 'type') ?? '',
            fields: listAt(work, 'index', 'fields').map(String),
          },
    documentsDone: numberAt(work, 'documentsDone') ?? 0,
    documentsExpected: numberAt(work, 'documentsExpected') ?? 0,
    documentsPerSecond: numberAt(work, 'documentsPerSecond') ?? 0,
    secondsLeft: numberAt(work, 'secondsLeft') ?? null,
  }));
}

/** `index of orders (hash on a, b): 200 of 800 documents (25 %), 1.2 k/s, 1 s left`. */
export function workLine(work: WorkReport): string {
  const { documentsDone, documentsExpected, documentsPerSecond, secondsLeft } = work;
  const share =
    documentsExpected === 0 ? '' : ` (${percentText(documentsDone, documentsExpected)})`;
  const documents = `${exactCount(documentsDone)} of ${exactCount(documentsExpected)} documents${share}`;
  const rate = documentsPerSecond === 0 ? '' : `, ${rateText(documentsPerSecond)}`;
  const left = secondsLeft === null ? '' : `, ${durationText(secondsLeft)} left`;
  return `${subjectOf(work)}: ${documents}${rate}${left}`;
}

function subjectOf({ kind, collection, index }: WorkReport): string {
  if (kind === 'search') return `search of ${collection} for what differs`;
  if (!index) return `${kind} of ${collection}`;
  const fields = index.fields.length === 0 ? '' : ` on ${index.fields.join(', ')}`;
  return `${kind} of ${collection} (${index.type}${fields})`;
}
