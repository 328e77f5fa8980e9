// Makes what the command behind it needs and what is missing or out of date: the packages, then dist/ and,
// with the argument `bench`, dist-bench/. `--rebuild` builds in any case. Runs before node_modules
// exists, so it uses nothing but Node.
import { spawnSync } from 'node:child_process';
import { readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const NODE_MINIMUM = [20, 19];

/** Written last into a finished build, so that one that was broken off is not taken for a good one. */
const STAMP = '.built';

/**
 * @typedef {object} Target
 * @property {string} project
 * @property {string} outDir
 * @property {string[]} sources
 * @property {(outDir: string) => void} [also] what has to be built besides
 */

/** @type {Target} */
const DIST = {
  project: 'tsconfig.json',
  outDir: 'dist',
  sources: [
    ...['src', 'tsconfig.json', 'package-lock.json', 'api-spec'],
    ...['.config/tsconfig.ui.json', '.config/build-ui.mjs', '.config/api-reference.mjs'],
  ],
  also: (outDir) => runNode(['.config/build-ui.mjs', outDir]),
};

/** @type {Target} */
const BENCH = {
  project: '.config/tsconfig.bench.json',
  outDir: 'dist-bench',
  sources: [...DIST.sources, 'bench', '.config/tsconfig.bench.json'],
};

/**
 * When a file, or the newest thing below a directory, was changed. Directories count themselves:
 * a removed file changes nothing else.
 * @param {string} path
 * @returns {number}
 */
function changedMs(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => changedMs(join(path, name))));
}

/**
 * Runs a Node program.
 * @param {string[]} args
 * @throws {Error} when it fails
 */
function runNode(args) {
  const { status, signal, error } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status === 0) return;
  const reason = error?.message ?? signal ?? `exit code ${status}`;
  throw new Error(`${args.join(' ')} failed: ${reason}`);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [majorMin = 0, minorMin = 0] = NODE_MINIMUM;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw new Error(`Node ${NODE_MINIMUM.join('.')} or later is needed; this is ${process.version}.`);
}

/** Installs what the lock file lists, unless that has been done since the lock file was changed. */
function installPackages() {
  const installedMs = changedMs('node_modules/.package-lock.json');
  if (installedMs > 0 && installedMs >= changedMs('package-lock.json')) return;
  const npm = process.env['npm_execpath'];
  if (npm === undefined) throw new Error('Packages are missing; run: npm ci --ignore-scripts');
  console.log('Installing packages ...');
  runNode([npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}

/**
 * Compiles beside the old build and then puts the new one in its place: nobody sees half of one.
 * @param {Target} target
 */
function build(target) {
  const fresh = `${target.outDir}-${process.pid}`;
  const startedAt = new Date();
  console.log(`Building ${target.outDir} ...`);
  try {
    runNode(['node_modules/typescript/bin/tsc', '-p', target.project, '--outDir', fresh]);
    target.also?.(fresh);
    writeFileSync(join(fresh, STAMP), '');
    // A source that is edited while the compiler runs must count as newer than the build.
    utimesSync(join(fresh, STAMP), startedAt, startedAt);
    replace(fresh, target);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/**
 * @param {string} fresh
 * @param {Target} target
 */
function replace(fresh, target) {
  rmSync(target.outDir, { recursive: true, force: true });
  try {
    renameSync(fresh, target.outDir);
  } catch (error) {
    // Another command may have put its build there in this moment; if it is as good, it stays.
    if (!isBuilt(target)) throw error;
  }
}

/** @param {Target} target */
function isBuilt({ outDir, sources }) {
  return changedMs(join(outDir, STAMP)) > Math.max(...sources.map(changedMs));
}

function main() {
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  checkNode();
  installPackages();
  for (const target of process.argv.includes('bench') ? [DIST, BENCH] : [DIST]) {
    if (process.argv.includes('--rebuild') || !isBuilt(target)) build(target);
  }
}

try {
  main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
