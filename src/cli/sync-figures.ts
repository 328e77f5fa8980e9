import { at, listAt, numberAt, textAt } from './json.ts';
import type { CollectionProgress, ProgressFigures } from './progress.ts';
import { progressLine } from './progress-text.ts';

/** Reads `state.sync` of an applier-state; undefined where the server tells no figures. */
export function syncFigures(sync: unknown): ProgressFigures | undefined {
  const collectionsDone = numberAt(sync, 'collectionsDone');
  if (collectionsDone === undefined) return undefined;
  const resumed = numberAt(sync, 'resumedFrom', 'bytes') ?? 0;
  return {
    phase: textAt(sync, 'phase') ?? 'copying',
    collectionsDone,
    collectionsExpected: numberAt(sync, 'collectionsExpected') || undefined,
    ...amountOf(sync),
    documentsPerSecond: numberAt(sync, 'documentsPerSecond'),
    bytesPerSecond: numberAt(sync, 'bytesPerSecond'),
    secondsLeft: numberAt(sync, 'secondsLeft'),
    resumedBytes: resumed === 0 ? undefined : resumed,
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

const WORKING: ReadonlySet<string> = new Set(['comparing', 'copying', 'indexing']);

/** While indexes are made the documents in them count: all of its own are there. */
function inWork(each: unknown): CollectionProgress {
  const name = textAt(each, 'name') ?? '?';
  const indexing = at(each, 'indexing');
  if (indexing === undefined) return { name, ...amountOf(each) };
  return { ...amountOf(indexing), name: `${name}, indexes` };
}

function amountOf(value: unknown): Omit<CollectionProgress, 'name'> {
  return {
    documentsDone: numberAt(value, 'documentsDone') ?? 0,
    documentsExpected: numberAt(value, 'documentsExpected'),
    bytesDone: numberAt(value, 'bytesDone') ?? 0,
    bytesExpected: numberAt(value, 'bytesExpected'),
  };
}
