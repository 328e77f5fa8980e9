import type { CopyNumbers, SyncNumbers } from '../model/sync-numbers.ts';
import { byId, make, nameColumns, setFacts, setList, setShown, setText } from './dom.ts';
import { bytes, clock, counted, duration, number, rounded, share } from './format.ts';
import type { ApplierStatus } from './types.ts';

const STATUS_WORDS: Readonly<Record<CopyNumbers['status'], string>> = {
  waiting: 'waiting',
  comparing: 'being compared',
  copying: 'being copied',
  indexing: 'being indexed',
  done: 'done',
  kept: 'the same already',
};

/** Shows how far a sync is; nothing while there is none. */
export function showSync({ state }: ApplierStatus): void {
  const { sync } = state;
  setShown(byId('sync'), sync !== undefined);
  if (!sync) return;
  showWhole(sync);
  setList(byId('sync-rows'), sync.collections, {
    keyOf: ({ id }) => id,
    create: copyRow,
    update: updateCopyRow,
  });
}

function showWhole(sync: SyncNumbers): void {
  const { secondsLeft, resumedFrom } = sync;
  setText(byId('sync-left'), secondsLeft === null ? '' : `about ${duration(secondsLeft)} left`);
  showShare(byId('sync-bar', HTMLProgressElement), wholeShare(sync));
  const collections = `${number(sync.collectionsDone)} of ${number(sync.collectionsExpected)}`;
  setFacts(byId('sync-facts'), [
    ['From', sync.endpoint ?? ''],
    ['Collections', sync.collectionsExpected === 0 ? '' : collections],
    ['Documents', doneOf(sync.documentsDone, sync.documentsExpected, number)],
    ['Size', doneOf(sync.bytesDone, sync.bytesExpected, bytes)],
    ['Rate', `${rounded(sync.documentsPerSecond)} documents/s, ${bytes(sync.bytesPerSecond)}/s`],
    ['Since', `${clock(sync.since)}, for ${duration(sync.secondsRunning)}`],
    [
      'Resumed',
      resumedFrom ? `${counted(resumedFrom.documents, 'document')} were here from before` : '',
    ],
  ]);
}

/** By bytes where they are known, then by documents, then by collections. */
function wholeShare(sync: SyncNumbers): number | undefined {
  const byCollections =
    sync.collectionsExpected === 0 ? undefined : sync.collectionsDone / sync.collectionsExpected;
  return (
    share(sync.bytesDone, sync.bytesExpected) ??
    share(sync.documentsDone, sync.documentsExpected) ??
    byCollections
  );
}

function doneOf(done: number, expected: number | null, show: (value: number) => string): string {
  return expected === null ? show(done) : `${show(done)} of ${show(expected)}`;
}

function copyRow({ name }: CopyNumbers): HTMLElement {
  const head = make('th', '', name);
  head.scope = 'row';
  const bar = make('progress', '');
  bar.max = 1;
  bar.setAttribute('aria-label', `Progress of ${name}`);
  const cells = [head, make('td', ''), make('td', '', bar), make('td', 'num'), make('td', 'num')];
  nameColumns(byId('sync-rows'), cells);
  return make('tr', '', ...cells);
}

function updateCopyRow(row: HTMLElement, copy: CopyNumbers): void {
  const [, status, meter, documents, size] = row.children;
  if (!status || !meter || !documents || !size) return;
  const { indexing } = copy;
  const percent = indexing ? share(indexing.documentsDone, indexing.documentsExpected) : undefined;
  const indexed = percent === undefined ? '' : `, ${Math.floor(percent * 100)} %`;
  setText(status, `${STATUS_WORDS[copy.status]}${indexed}`);
  setText(documents, doneOf(copy.documentsDone, copy.documentsExpected, number));
  setText(size, doneOf(copy.bytesDone, copy.bytesExpected, bytes));
  const bar = meter.firstElementChild;
  if (bar instanceof HTMLProgressElement) showShare(bar, copyShare(copy));
}

function copyShare(copy: CopyNumbers): number | undefined {
  if (copy.status === 'done' || copy.status === 'kept') return 1;
  if (copy.indexing) return share(copy.indexing.documentsDone, copy.indexing.documentsExpected);
  if (copy.status === 'waiting' && copy.documentsDone === 0) return 0;
  return (
    share(copy.bytesDone, copy.bytesExpected) ?? share(copy.documentsDone, copy.documentsExpected)
  );
}

function showShare(bar: HTMLProgressElement, done: number | undefined): void {
  if (done === undefined) bar.removeAttribute('value');
  else bar.value = done;
}
