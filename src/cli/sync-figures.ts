import { at, listAt, numberAt, textAt } from './json.ts';
import type { CollectionProgress, ProgressFigures, ResumedFrom } from './progress.ts';
import { progressLine } from './progress-text.ts';

/** Reads `state.sync` of an applier-state; undefined where the server tells no figures. */
export function syncFigures(sync: unknown): ProgressFigures | undefined {
  const collectionsDone = numberAt(sync, 'collectionsDone');
  if (collectionsDone === undefined) return undefined;
  return {
    phase: textAt(sync, 'phase') ?? 'copying',
    collectionsDone,
    collectionsExpected: numberAt(sync, 'collectionsExpected') || undefined,
    ...amountOf(sync),
    documentsPerSecond: numberAt(sync, 'documentsPerSecond'),
    bytesPerSecond: numberAt(sync, 'bytesPerSecond'),
    secondsLeft: numberAt(sync, 'secondsLeft'),
    resumedFrom: resumedFrom(at(sync, 'resumedFrom')),
    inWork: listAt(sync, 'collections')
      .filter((each) => WORKING.has(textAt(each, 'status') ?? ''))
      .map(inWork),
  };
}

/** The figures as a line; undefined as `syncFigures`. */
export function syncLine(sync: unknown): string | undefined {
  const figures = syncFigures(sync);
  return figures && progressLine(figures);
}

/** Undefined where the sync began anew. */
function resumedFrom(resumed: unknown): ResumedFrom | undefined {
  const collections = numberAt(resumed, 'collections');
  if (collections === undefined) return undefined;
  const documents = numberAt(resumed, 'documents') ?? 0;
  return { collections, documents, bytes: numberAt(resumed, 'bytes') ?? 0 };
}

const WORKING: ReadonlySet<string> = new Set(['comparing', 'copying', 'indexing']);

/** While indexes are made the documents in them count: all of its own are there. */
function inWork(each: unknown): CollectionProgress {
  const name = textAt(each, 'name') ?? '?';
  const indexing = at(each, 'indexing');
  if (indexing === undefined) return { name, ...amountOf(each) };
  return {
    ...{ name, indexing: 'indexes' },
    ...amountOf(indexing),
    documentsPerSecond: numberAt(indexing, 'documentsPerSecond'),
    secondsLeft: numberAt(indexing, 'secondsLeft'),
  };
}

function amountOf(value: unknown): Omit<CollectionProgress, 'name'> {
  return {
    documentsDone: numberAt(value, 'documentsDone') ?? 0,
    documentsExpected: numberAt(value, 'documentsExpected'),
    bytesDone: numberAt(value, 'bytesDone') ?? 0,
    bytesExpected: numberAt(value, 'bytesExpected'),
  };
}
