// Writes docs/errors.md from the table of errors: npm run docs:errors
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const HEAD = `# Errors

Printed from the tables of \`src/model\` by \`npm run docs:errors\`; a change made here by hand is lost.

An answer that tells of an error has the body \`{"error":true,"errorMessage":…,"code":…,"errorNum":…}\`. \`errorMessage\`
is the text below, or more to the point where the server knows more. \`code\` is the HTTP status; at a few places it
differs from the one below, as it does in the servers this interface comes from. Programs go by \`errorNum\`. Only 401 has no
body for clients of 1.4, as there; those of 3.x get one ([two generations](HTTP.md#two-generations)).
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
 * The page about all errors, in the order of their numbers, each number once.
 * @param {Readonly<Record<string, Entry>>} errors
 * @returns {string}
 */
export function renderErrorsPage(errors) {
  /** @type {Map<number, [string, Entry][]>} */
  const kinds = new Map();
  for (const [name, entry] of Object.entries(errors)) {
    const others = kinds.get(entry.errorNum) ?? [];
    kinds.set(entry.errorNum, [...others, [name, entry]]);
  }
  const numbers = [...kinds].sort(([left], [right]) => left - right);
  return [HEAD, ...numbers.map(([number, entries]) => renderNumber(number, entries))].join('\n');
}

/**
 * Where several kinds of errors share a number, the first one, which says the least, gives it its title.
 * @param {number} number
 * @param {readonly [string, Entry][]} kinds
 */
function renderNumber(number, kinds) {
  const [first] = kinds;
  const title = `## ${number} ${first?.[1].message}\n\n`;
  if (kinds.length === 1) return title + kinds.map((kind) => renderKind(...kind)).join('');
  const rest = kinds.map(([name, entry]) => `### ${entry.message}\n\n${renderKind(name, entry)}`);
  return `${title}One number for several failures, which the message tells apart.\n\n${rest.join('\n')}`;
}

/**
 * @param {string} name
 * @param {Entry} entry
 */
function renderKind(name, { httpStatus, cause, cure, applierCure }) {
  const ofApplier = applierCure ? `\n**Where an applier met it:** ${applierCure}\n` : '';
  return `\`${name}\`, HTTP ${httpStatus}. ${cause}

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
