import { byId, setRows, setShown, setText } from './dom.ts';
import { bytes, counted, number } from './format.ts';
import type { CollectionStatus } from './types.ts';

const EDGES = 3;
/** So many can be looked through without a field to find one. */
const FILTER_FROM = 12;

/** The collections of a database with what they hold, by name; those of the system last. */
export class CollectionsPanel {
  readonly #filter = byId('collections-filter', HTMLInputElement);
  #collections: readonly CollectionStatus[] = [];

  constructor() {
    this.#filter.addEventListener('input', () => this.#show());
  }

  show(collections: readonly CollectionStatus[]): void {
    this.#collections = [...collections].sort(
      (a, b) => Number(a.isSystem) - Number(b.isSystem) || a.name.localeCompare(b.name, 'en'),
    );
    this.#show();
  }

  #show(): void {
    const all = this.#collections;
    const wanted = this.#filter.value.trim().toLowerCase();
    const shown = all.filter(({ name }) => name.toLowerCase().includes(wanted));
    setShown(byId('collections-filter-box'), all.length >= FILTER_FROM);
    setShown(byId('collections-box'), shown.length > 0);
    setText(byId('collections-note'), noteOf(all, shown, wanted));
    setRows(
      byId('collections-rows'),
      shown,
      ({ id }) => id,
      ({ name, type, count, bytes: size }) => [
        { text: name },
        { text: type === EDGES ? 'edges' : 'documents' },
        { text: number(count), kind: 'num' },
        { text: bytes(size), kind: 'num' },
      ],
    );
  }
}

function noteOf(
  all: readonly CollectionStatus[],
  shown: readonly CollectionStatus[],
  wanted: string,
): string {
  if (all.length === 0) return 'none yet';
  if (wanted !== '') return `${number(shown.length)} of ${number(all.length)}`;
  const documents = all.reduce((sum, { count }) => sum + count, 0);
  const size = all.reduce((sum, each) => sum + each.bytes, 0);
  return `${number(all.length)} with ${counted(documents, 'document')}, ${bytes(size)}`;
}
