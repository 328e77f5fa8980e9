import { readdir, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { isDataDirectory, STORE_FOLDER } from '../base/data-directory.ts';
import { isNothingThere } from '../base/nothing-there.ts';
import { ServiceError } from '../model/errors.ts';
import { LAST_COMMIT_FILE } from './last-commit.ts';
import { PROBE_FILE } from './write-probe.ts';

/** What a server puts beside its store; an interrupted first start may have left any of it. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  ...[STORE_FOLDER, LAST_COMMIT_FILE, `${LAST_COMMIT_FILE}.new`, PROBE_FILE, 'jwt-secret'],
]);
/** What file systems make, hidden files, and what those who start a server keep of its output and its process. */
const PASSED_OVER = /^[.@]|^lost\+found$|\.(?:log|pid)$/;
/** What LevelDB has made before there is a file CURRENT. */
const BEFORE_CURRENT = /^(?:LOCK|LOG|LOG\.old|MANIFEST-[0-9]+|[0-9]+\.dbtmp)$/;
/** What holds data, and LevelDB would remove where there is no CURRENT. */
const TABLE_OR_LOG = /^[0-9]+\.(?:ldb|sst|log)$/;
const NAMED_MAX = 5;

/**
 * Sees to it that a store is put only where one is, or where nothing else is: what lies in the directory must be a
 * server's, or known to it. Changes nothing.
 *
 * @param known paths of files that the server was told of: those may lie in its directory
 * @throws ServiceError badParameter when something else is there, storageDamaged when the store has lost the file by
 * which it is found
 */
export async function assertOwnDirectory(
  directory: string,
  known: readonly string[] = [],
): Promise<void> {
  if (await isDataDirectory(directory)) return;
  const store = join(directory, STORE_FOLDER);
  const inStore = await namesIn(store);
  const data = inStore.find((name) => TABLE_OR_LOG.test(name));
  if (data !== undefined) {
    throw new ServiceError(
      'storageDamaged',
      `the data directory cannot be read: ${store} has ${data}, but not the file CURRENT, by which it is found. ` +
        'Restore the directory from a backup, or copy the data anew from another server into an empty directory.',
    );
  }
  const told = await firstNames(directory, known);
  const foreign = (await namesIn(directory)).filter(
    (name) => !OWN_NAMES.has(name) && !PASSED_OVER.test(name) && !told.has(name),
  );
  for (const name of inStore) {
    if (!BEFORE_CURRENT.test(name) && !PASSED_OVER.test(name)) {
      foreign.push(join(STORE_FOLDER, name));
    }
  }
  if (foreign.length === 0) return;
  const more = foreign.length > NAMED_MAX ? ', ...' : '';
  throw new ServiceError(
    'badParameter',
    `'${directory}' is no data directory of a server, and not empty: it has ` +
      `${foreign.sort().slice(0, NAMED_MAX).join(', ')}${more}. Name an empty or a new one with ` +
      '--database.directory; a backup is read with ticklog restore, by a server that runs.',
  );
}

/** Of paths in a directory, by whatever links they are named, what each begins with there. */
async function firstNames(
  directory: string,
  paths: readonly string[],
): Promise<ReadonlySet<string | undefined>> {
  const within = await realpath(directory).catch(() => directory);
  const found = await Promise.all(
    // One that is not there, or may not be looked at, is told of by who reads it.
    paths.map(async (path) => [path, await realpath(path).catch(() => path)]),
  );
  return new Set(
    found
      .flat()
      .flatMap((path) => [
        relative(directory, path).split(sep)[0],
        relative(within, path).split(sep)[0],
      ]),
  );
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    // A file of that name is told of when the directory is made.
    if (isNothingThere(error)) return [];
    throw error;
  }
}
