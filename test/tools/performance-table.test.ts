import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COLUMNS = ['workload', 'ticklog', 'of its limit', 'PostgreSQL', 'Redis'];

/** The cells of the columns above in a page's table of workloads, a row for each. */
function figuresOf(text: string): string[][] {
  const table = /^\| workload .*\n(?:\|.*\n)*/m.exec(text)?.[0] ?? '';
  const [head = [], , ...rows] = table.trimEnd().split('\n').map(cellsOf);
  const at = COLUMNS.map((column) => head.indexOf(column));
  return rows.map((row) => at.map((index) => row[index] ?? 'missing'));
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

test('README and docs/performance.md show the same figures, of the same day', async () => {
  const pages = ['README.md', join('docs', 'performance.md')];
  const [readme = '', page = ''] = await Promise.all(
    pages.map((name) => readFile(join(ROOT, name), 'utf8')),
  );
  const figures = figuresOf(readme);
  expect(figures.length).toBeGreaterThan(5);
  expect(figures.flat()).not.toContain('missing');
  expect(figuresOf(page)).toEqual(figures);

  const [day = 'no day'] = /(?<=on a quiet machine \()[\d-]+(?=\))/.exec(readme) ?? [];
  expect(page).toContain(`on a quiet machine (${day})`);
});
