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

/** A document in a dump. */
export interface DumpedDocument {
  /** The line, as it stands in the file. */
  readonly line: string;
  /** With its own attributes. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a collection holds once the lines of its dump have been played, by key. */
export async function dumpedDocuments(
  directory: string,
  name: string,
): Promise<Map<string, DumpedDocument>> {
  const documents = new Map<string, DumpedDocument>();
  for (const line of (await dumpedLines(directory, name)) ?? []) {
    const { type, key, data } = readLine(line);
    if (type === 2302) documents.delete(key);
    else documents.set(key, { line, data });
  }
  return documents;
}

/** The documents of a dump as they are compared where revisions and ids may differ. */
export async function dumpedContents(
  directory: string,
  name: string,
): Promise<Map<string, Record<string, unknown>>> {
  const documents = await dumpedDocuments(directory, name);
  return new Map(
    [...documents].map(([key, { data }]) => {
      const own = Object.entries(data).filter(([each]) => each !== '_rev' && each !== '_id');
      return [key, Object.fromEntries(own)];
    }),
  );
}

function readLine(line: string): { type: number; key: string; data: Record<string, unknown> } {
  const value = JSON.parse(line) as {
    type?: number;
    key?: string;
    data?: Record<string, unknown>;
    _key?: string;
  };
  // Of an envelope the key is never on top.
  if (value._key !== undefined) return { type: 2300, key: value._key, data: { ...value } };
  const { type = 0, key = '', data = {} } = value;
  return { type, key: (data['_key'] as string | undefined) ?? key, data };
}

/** The structure of a collection in a dump directory. */
export async function dumpedStructure(directory: string, name: string): Promise<unknown> {
  const text = await readFile(join(directory, `${fileBaseOf(name)}.structure.json`), 'utf8');
  return JSON.parse(text);
}
