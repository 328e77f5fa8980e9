import type { Paint } from './paint.ts';

/** A part of a screen, under a label that stands before its first line. */
export interface Section {
  readonly label: string;
  /** Stands above the items, as long as there is one. */
  readonly head?: string;
  /** The lines of each item; the most important items first. */
  readonly items: readonly (readonly string[])[];
  /** Items of a list that are left out already; those of a section that is no list go without a word. */
  readonly leftOut?: number;
  /** How many items stay when it is shortened; none when absent. */
  readonly keep?: number;
}

/** Room on a terminal. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

const LABEL_WIDTH = 9;
const COLUMNS_MIN = 20;
const LOOKS = /\x1b\[[0-9;]*m/g;

/** All lines, one below the other. */
export function screenLines(sections: readonly Section[], paint: Paint): string[] {
  return sections.flatMap((section) => {
    const lines = linesOf(section);
    return lines.map((line, i) =>
      i === 0
        ? paint('bold', section.label.padEnd(LABEL_WIDTH)) + line
        : ' '.repeat(LABEL_WIDTH) + line,
    );
  });
}

/**
 * The lines that fit on a terminal. Sections are shortened item by item from their ends; where that is not enough,
 * the lowest lines are kept.
 * @param options.cut labels of the sections that may be shortened, the first one first
 * @param options.wrapped labels of those of which every word is to be read
 */
export function fittedLines(
  sections: readonly Section[],
  paint: Paint,
  { columns, rows }: Room,
  { cut, wrapped }: { cut: readonly string[]; wrapped: ReadonlySet<string> },
): string[] {
  const width = Math.max(COLUMNS_MIN, columns - LABEL_WIDTH);
  const fitted = sections.map((section) =>
    wrapped.has(section.label) ? wrappedSection(section, width) : section,
  );
  const height = (): number => fitted.reduce((sum, each) => sum + linesOf(each).length, 0);
  for (const label of cut) {
    const i = fitted.findIndex((each) => each.label === label);
    for (let section = fitted[i]; section && height() > rows; section = fitted[i]) {
      if (section.items.length <= (section.keep ?? 0)) break;
      fitted[i] = shortened(section);
    }
  }
  return screenLines(fitted, paint).slice(-rows);
}

function linesOf({ head, items, leftOut = 0 }: Section): string[] {
  return [
    ...(head === undefined || items.length === 0 ? [] : [head]),
    ...items.flat(),
    ...(leftOut > 0 ? [`… and ${leftOut} more`] : []),
  ];
}

function shortened({ label, head, items, leftOut, keep = 0 }: Section): Section {
  return {
    label,
    keep,
    items: items.slice(0, -1),
    ...(head === undefined ? {} : { head }),
    ...(leftOut === undefined ? {} : { leftOut: leftOut + 1 }),
  };
}

function wrappedSection(section: Section, width: number): Section {
  const items = section.items.map((lines) => lines.flatMap((line) => wrap(line, width)));
  return { ...section, items };
}

/** What goes on below is indented by two more than its line. */
function wrap(line: string, width: number): string[] {
  const indent = `${/^ */.exec(line)?.[0] ?? ''}  `;
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(/(?<= )(?=\S)/)) {
    const isFull = lengthOf((current + word).trimEnd()) > width;
    if (isFull && current.trim() !== '') {
      lines.push(current.trimEnd());
      current = indent;
    }
    current += word;
    // JSON may have no blanks.
    for (; lengthOf(current.trimEnd()) > width; current = indent + current.slice(width)) {
      lines.push(current.slice(0, width));
    }
  }
  return [...lines, current];
}

/** In characters that are seen. */
function lengthOf(text: string): number {
  return text.replaceAll(LOOKS, '').length;
}
