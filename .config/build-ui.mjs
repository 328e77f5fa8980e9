// Builds the status page into DIR/ui: node .config/build-ui.mjs DIR
// DIR holds the compiled server already; the texts of its errors are taken from there.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { renderReference } from './api-reference.mjs';

const SOURCE = 'src/ui';
const COPIED = /\.(?:html|css|svg)$/;

/** What others have made, under the names by which the page asks for it. */
const VENDOR = [
  ['node_modules/uplot/dist/uPlot.esm.js', 'uplot.js'],
  ['node_modules/uplot/dist/uPlot.min.css', 'uplot.css'],
];

/** Of src/model, what the page runs, too: files that need no others. Of what else it imports it takes types only. */
const SHARED = ['error-words.js', 'write-rate.js'];

/**
 * Puts the compiled page into one directory, with what it shares with the server.
 * @param {string} directory
 */
function compile(directory) {
  const compiled = join(directory, 'compiled');
  const tsc = ['node_modules/typescript/bin/tsc', '-p', '.config/tsconfig.ui.json'];
  const { status } = spawnSync(process.execPath, [...tsc, '--outDir', compiled], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('the status page could not be compiled');
  for (const name of readdirSync(join(compiled, 'ui'))) {
    const code = readFileSync(join(compiled, 'ui', name), 'utf8');
    const own = code.replaceAll(/(?<= from ["'])\.\.\/model\//g, './');
    if (/ from ["']\.\.\//.test(own)) throw new Error(`${name} imports what browsers do not get`);
    writeFileSync(join(directory, name), own);
  }
  for (const name of SHARED) copyFileSync(join(compiled, 'model', name), join(directory, name));
  rmSync(compiled, { recursive: true });
}

/**
 * What helps against each error, by its number, for the page to show. Where several kinds share a number the
 * first one stands for all of them.
 * @param {string} dist
 */
async function curesOf(dist) {
  const url = pathToFileURL(resolve(dist, 'model/errors.js')).href;
  /** @type {unknown} */
  const table = await import(url);
  const { ERRORS } =
    /** @type {{ ERRORS: Record<string, { errorNum: number, cure: string, applierCure?: string }> }} */ (
      table
    );
  /** @type {Record<string, { caller: string, applier: string }>} */
  const cures = {};
  for (const { errorNum, cure, applierCure = cure } of Object.values(ERRORS))
    if (!(errorNum in cures)) cures[errorNum] = { caller: cure, applier: applierCure };
  return cures;
}

/** @param {string} dist */
async function build(dist) {
  const target = join(dist, 'ui');
  mkdirSync(target, { recursive: true });
  compile(target);
  for (const name of readdirSync(SOURCE).filter((each) => COPIED.test(each))) {
    copyFileSync(join(SOURCE, name), join(target, name));
  }
  for (const [from = '', to = ''] of VENDOR) copyFileSync(from, join(target, to));
  writeFileSync(join(target, 'cures.json'), JSON.stringify(await curesOf(dist)));
  /** @type {unknown} */
  const document = parse(readFileSync('api-spec/openapi.yaml', 'utf8'));
  const reference = renderReference(
    /** @type {import('./api-reference.mjs').Document} */ (document),
  );
  writeFileSync(join(target, 'api.html'), reference);
}

await build(process.argv[2] ?? 'dist');
