import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fileBaseOf } from '../../src/cli/dump-layout.ts';

/** What a collection is dumped as. */
export interface DumpedFile {
  readonly name: string;
  readonly type?: 2 | 3;
  readonly indexes?: readonly object[];
  /** Undefined for none. */
  readonly lines?: readonly string[];
}

/** Writes a dump directory as arangodump 3.0 does. */
export async function writeDump(
  directory: string,
  collections: readonly DumpedFile[],
  description?: object,
): Promise<void> {
  if (description) await writeFile(join(directory, 'dump.json'), JSON.stringify(description));
  for (const { name, type = 2, indexes = [], lines } of collections) {
    const base = join(directory, fileBaseOf(name));
    const structure = { indexes, parameters: { cid: '77', name, type, deleted: false } };
    await writeFile(`${base}.structure.json`, JSON.stringify(structure));
    if (lines) await writeFile(`${base}.data.json`, lines.map((line) => `${line}\n`).join(''));
  }
}

/** The lines of a collection in a dump directory, compressed or not; undefined without a file. */
export async function dumpedLines(directory: string, name: string): Promise<string[] | undefined> {
  const base = `${fileBaseOf(name)}.data.json`;
  const file = (await readdir(directory)).find((each) => each.startsWith(base));
  if (file === undefined) return undefined;
  const content = await readFile(join(directory, file));
  const text = (file.endsWith('.gz') ? gunzipSync(content) : content).toString('utf8');
  return text.split('\n').filter((line) => line !== '');
}

/** What a collection holds once its lines have been played, by key. */
export async function dumpedDocuments(
  directory: string,
  name: string,
): Promise<Map<string, Record<string, unknown>>> {
  const documents = new Map<string, Record<string, unknown>>();
  for (const line of (await dumpedLines(directory, name)) ?? []) {
    const { type, key, data } = JSON.parse(line) as {
      type: number;
      key?: string;
      data?: Record<string, unknown>;
    };
    const found = (data?.['_key'] as string | undefined) ?? key ?? '';
    if (type === 2302) documents.delete(found);
    else documents.set(found, data ?? {});
  }
  return documents;
}

/** The structure of a collection in a dump directory. */
export async function dumpedStructure(directory: string, name: string): Promise<unknown> {
  const text = await readFile(join(directory, `${fileBaseOf(name)}.structure.json`), 'utf8');
  return JSON.parse(text);
}
