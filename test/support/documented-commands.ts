import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHELL_BLOCK = /^```sh\n([\s\S]*?)^```$/gm;

/**
 * The commands in the `sh` blocks of a document, in its order: each line is one, unless the line before it
 * ends in a backslash. Comments at the end of a line are not part of it.
 * @param page its path below the root of the project
 */
export async function documentedCommands(page: string): Promise<string[]> {
  const text = await readFile(join(ROOT, page), 'utf8');
  return Array.from(text.matchAll(SHELL_BLOCK), ([, block = '']) => block)
    .flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'))
    .map((line) => line.replace(/\s+# .*$/, '').trim())
    .filter((line) => line !== '');
}
