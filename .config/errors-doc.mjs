// Writes docs/errors.md from the table of errors: npm run docs:errors
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const HEAD = `# Errors

Printed from the tables of \`src/model\` by \`npm run docs:errors\`; a change made here by hand is lost.

An answer that tells of an error has the body \`{"error":true,"errorMessage":…,"code":…,"errorNum":…}\`. \`errorMessage\`
is the text below, or more to the point where the server knows more. \`code\` is the HTTP status; at a few places it
differs from the one below, as it does in the servers this interface comes from. Programs go by \`errorNum\`.
`;

/**
 * @typedef {object} Entry
 * @property {number} errorNum
 * @property {number} httpStatus
 * @property {string} message
 * @property {string} cause
 * @property {string} cure
 * @property {string} [applierCure]
 */

/**
 * The page about all errors, in the order of their numbers.
 * @param {Readonly<Record<string, Entry>>} errors
 * @returns {string}
 */
export function renderErrorsPage(errors) {
  const entries = Object.entries(errors);
  entries.sort(([, left], [, right]) => left.errorNum - right.errorNum);
  return [HEAD, ...entries.map(([name, entry]) => renderEntry(name, entry))].join('\n');
}

/**
 * @param {string} name
 * @param {Entry} entry
 */
function renderEntry(name, { errorNum, httpStatus, message, cause, cure, applierCure }) {
  const ofApplier = applierCure ? `\n**Where an applier met it:** ${applierCure}\n` : '';
  return `## ${errorNum} ${message}

\`${name}\`, HTTP ${httpStatus}. ${cause}

**What to do:** ${cure}
${ofApplier}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const built = new URL('../dist/model/errors.js', import.meta.url);
  /** @type {unknown} */
  const table = await import(built.href);
  const { ERRORS } = /** @type {{ ERRORS: Record<string, Entry> }} */ (table);
  writeFileSync(new URL('../docs/errors.md', import.meta.url), renderErrorsPage(ERRORS));
}
