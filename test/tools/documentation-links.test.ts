import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LINK = /\]\((?!https?:)([^()\s]+)\)/g;

/** The documents people read, as paths below the root of the project. */
async function documents(): Promise<string[]> {
  const below = await readdir(join(ROOT, 'docs'), { recursive: true });
  const pages = below.filter((name) => name.endsWith('.md')).map((name) => join('docs', name));
  return ['README.md', 'bench/README.md', ...pages];
}

/** The anchors that the headings of a page have, as forges make them. */
function anchors(text: string): Set<string> {
  const headings = text.replace(/^```.*?^```/gms, '').matchAll(/^#+ (.+)$/gm);
  const plain = Array.from(headings, ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set(plain);
}

/** What is wrong with a link, or undefined. */
async function fault(page: string, link: string): Promise<string | undefined> {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (anchor === undefined) {
    const parent = await readdir(join(ROOT, dirname(target))).catch((): string[] => []);
    return parent.includes(target.replace(/\/$/, '').split('/').at(-1) ?? '')
      ? undefined
      : `${page}: ${target} is missing`;
  }
  const text = await readFile(join(ROOT, target), 'utf8').catch(() => '');
  return anchors(text).has(anchor) ? undefined : `${page}: ${target} has no heading #${anchor}`;
}

test('every link between documents leads to a file, and to a heading that is there', async () => {
  const faults: string[] = [];
  let count = 0;
  for (const page of await documents()) {
    const text = await readFile(join(ROOT, page), 'utf8');
    for (const [, link = ''] of text.matchAll(LINK)) {
      count += 1;
      const found = await fault(page, link);
      if (found !== undefined) faults.push(found);
    }
  }
  expect(count).toBeGreaterThan(20);
  expect(faults).toEqual([]);
});

test('the README leads to every page of docs/', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const names = await readdir(join(ROOT, 'docs'));
  const missing = names.filter((name) => name.endsWith('.md') && !readme.includes(`docs/${name}`));
  expect(missing).toEqual([]);
});
