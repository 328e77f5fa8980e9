/** A table of text: the first column to the left, numbers to the right, blanks between. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
  const [first = '', ...others] = lines;
  return [first, '-'.repeat(Math.max(...lines.map((line) => line.length))), ...others].join('\n');
}

/** With a comma between thousands. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** `12 documents`, `1 document`. */
export function formatNumberOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `3.42 s`. */
export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(2)} s`;
}

/** `1.42 ms`. */
export function formatMs(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`;
}

/** In MiB, or `-` where it is not known. */
export function formatMebibytes(bytes: number | undefined): string {
  return bytes === undefined ? '-' : formatCount(bytes / 1024 / 1024);
}

/** The middle one in order of size; the lower of two. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
}

/** The smallest of the values that `percent` percent of them do not exceed. NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const index = Math.ceil((percent / 100) * sorted.length) - 1;
  return sorted[Math.max(index, 0)] ?? Number.NaN;
}
