import { type Dirent, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

/** A document: what is sent, and compared with what comes back. */
export interface Content {
  readonly _key: string;
  readonly [attribute: string]: unknown;
}

/** What was found below node_modules. */
export interface PackageGraph {
  readonly packages: readonly Content[];
  /** Edges; `_from` depends on `_to`. */
  readonly dependencies: readonly Content[];
  /** Files that hold no JSON object. */
  readonly unreadable: number;
}

export const PACKAGES = 'packages';
export const DEPENDS_ON = 'dependsOn';

const DEPTH_MAX = 12;
const PACKAGES_MAX = 5000;
const KEY_LENGTH_MAX = 200;
const KINDS = ['dependencies', 'optionalDependencies', 'peerDependencies'] as const;

interface FoundPackage {
  readonly content: Content;
  readonly directory: string;
  readonly manifest: Readonly<Record<string, unknown>>;
}

/**
 * Reads the package.json files below a directory, at most 12 directories deep and 5,000 of them, and finds
 * out for each dependency which of them Node would load.
 */
export function readPackages(root: string): PackageGraph {
  const found = new Map<string, FoundPackage>();
  const keys = new Set<string>();
  let unreadable = 0;
  for (const file of packageFiles(root)) {
    const manifest = readManifest(file);
    if (!manifest) {
      unreadable++;
      continue;
    }
    const directory = dirname(file);
    const path = relative(dirname(root), directory).split(sep).join('/');
    const content = { _key: uniqueKey(manifest, path, keys), path, ...withoutSystem(manifest) };
    found.set(directory, { content, directory, manifest });
  }
  const all = [...found.values()];
  const dependencies = all.flatMap((from) => edgesOf(from, found));
  return {
    packages: all.map(({ content }) => content),
    dependencies: dependencies.map((edge, i) => ({ _key: `e${i + 1}`, ...edge })),
    unreadable,
  };
}

function* packageFiles(root: string): Generator<string, void, void> {
  const waiting = [{ directory: root, depth: 1 }];
  let count = 0;
  for (let next; (next = waiting.shift()) !== undefined;) {
    for (const entry of entriesOf(next.directory)) {
      const path = join(next.directory, entry.name);
      if (entry.isDirectory() && next.depth < DEPTH_MAX) {
        waiting.push({ directory: path, depth: next.depth + 1 });
      } else if (entry.isFile() && entry.name === 'package.json') {
        if (++count > PACKAGES_MAX) return;
        yield path;
      }
    }
  }
}

/** In the order of names, so that every run finds the same. */
function entriesOf(directory: string): readonly Dirent[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  return entries.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function readManifest(file: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Packages about JSON carry broken files for their own tests.
    return undefined;
  }
}

/** Attributes that begin with `_` belong to the server. */
function withoutSystem(manifest: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(manifest).filter(([name]) => !name.startsWith('_')));
}

/** `name@version` or, without a name, the path, in characters that a key may have. */
function uniqueKey(
  manifest: Readonly<Record<string, unknown>>,
  path: string,
  taken: Set<string>,
): string {
  const { name, version } = manifest;
  const wanted =
    typeof name === 'string' && typeof version === 'string' ? `${name}@${version}` : path;
  const legal = wanted.replaceAll('/', ':').replaceAll(/[^a-zA-Z0-9_:.@+-]/g, '-');
  const base = legal.slice(0, KEY_LENGTH_MAX);
  let key = base;
  for (let n = 2; taken.has(key); n++) key = `${base}+${n}`;
  taken.add(key);
  return key;
}

function edgesOf(
  from: FoundPackage,
  found: ReadonlyMap<string, FoundPackage>,
): readonly Record<string, unknown>[] {
  return KINDS.flatMap((kind) => {
    const wanted = from.manifest[kind];
    if (typeof wanted !== 'object' || wanted === null) return [];
    return Object.entries(wanted).flatMap(([name, range]) => {
      const to = resolve(from.directory, name, found);
      if (!to) return [];
      const ends = { _from: handle(from.content), _to: handle(to.content) };
      return [{ ...ends, kind, range: String(range) }];
    });
  });
}

/** Looks for a package as Node does: in the node_modules of the directory and of those above it. */
function resolve(
  start: string,
  name: string,
  found: ReadonlyMap<string, FoundPackage>,
): FoundPackage | undefined {
  for (let directory = start; ; directory = dirname(directory)) {
    const hit = found.get(join(directory, 'node_modules', name));
    if (hit || directory === dirname(directory)) return hit;
  }
}

function handle({ _key }: Content): string {
  return `${PACKAGES}/${_key}`;
}
