import type { CollectionProgress, ProgressFigures } from './progress.ts';
import { amountParts, fractionOf, speedParts, wholeFraction } from './progress-text.ts';
import { exactCount, exactCounted, percentText } from './units.ts';

/** One line below the other on a terminal. */
export interface Row {
  readonly name: string;
  /** What stands behind the bar. */
  readonly text: string;
  readonly hasBar: boolean;
  /** From 0 to 1. */
  readonly fraction?: number | undefined;
}

export const EMPTY_ROW: Row = { name: '', text: '', hasBar: false };

/** Collections that have a bar of their own. */
const BARS_MAX = 6;
/** Widths of bars and of the names before them, for terminals that have so many columns. */
const LAYOUTS = [
  { columns: 110, bar: 24, name: 20 },
  { columns: 70, bar: 12, name: 14 },
] as const;
const TIGHT = { bar: 6, name: 14 };
/** From so many columns on all that can be said of the whole has room behind its bar. */
const ONE_ROW_COLUMNS = 170;

/** A row for all, or two where one has no room for it, and one for each collection in work. None is ever longer than the terminal. */
export function rowsOf(figures: ProgressFigures, columns: number): Row[] {
  const room = roomOf(columns);
  const { phase, collectionsDone, collectionsExpected } = figures;
  const collections =
    collectionsExpected === undefined
      ? []
      : [`${exactCount(collectionsDone)}/${exactCounted(collectionsExpected, 'collection')}`];
  const amounts = [...amountParts(figures), ...collections];
  const isOneRow = columns >= ONE_ROW_COLUMNS;
  const fraction = wholeFraction(figures);
  const parts = [...speedParts(figures), ...(isOneRow ? amounts : [])];
  const all = {
    name: phase,
    text: fitted(percentIn(fraction), parts, room),
    hasBar: true,
    fraction,
  };
  const more = { ...EMPTY_ROW, text: fitted('  ', amounts, columns) };
  const each = figures.inWork
    .slice(0, BARS_MAX)
    .map((collection) => collectionRow(collection, room));
  return [all, ...(isOneRow ? [] : [more]), ...each];
}

function collectionRow(collection: CollectionProgress, room: number): Row {
  const { name, indexing } = collection;
  const fraction = fractionOf(collection);
  const parts = [
    ...(indexing === undefined ? [] : [indexing]),
    ...amountParts(collection),
    ...speedParts(collection),
  ];
  return {
    name: `  ${name}`,
    text: fitted(percentIn(fraction), parts, room),
    hasBar: true,
    fraction,
  };
}

/** The row as it stands on the terminal. @param fraction how much of the bar is filled, from 0 to 1 */
export function drawnRow(row: Row, fraction: number, columns: number): string {
  if (!row.hasBar) return row.text;
  const { bar, name } = layoutOf(columns);
  const filled = Math.round(fraction * bar);
  const shown = row.name.length > name ? `${row.name.slice(0, name - 1)}…` : row.name;
  const drawn = '█'.repeat(filled) + '░'.repeat(bar - filled);
  return `${shown.padEnd(name)} ${drawn} ${row.text}`;
}

function layoutOf(columns: number): { readonly bar: number; readonly name: number } {
  return LAYOUTS.find((layout) => columns >= layout.columns) ?? TIGHT;
}

/** What is left behind the bar. */
function roomOf(columns: number): number {
  const { bar, name } = layoutOf(columns);
  return columns - name - bar - 2;
}

/** As many of the parts as have room, whole; what matters most comes first. */
function fitted(head: string, parts: readonly string[], room: number): string {
  let text = head;
  for (const [i, part] of parts.entries()) {
    const longer = i === 0 ? text + part : `${text}, ${part}`;
    if (longer.length > room) break;
    text = longer;
  }
  return text;
}

function percentIn(fraction: number | undefined): string {
  return fraction === undefined ? '' : `${percentText(fraction, 1).padStart(5)}  `;
}
