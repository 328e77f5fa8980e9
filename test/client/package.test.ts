import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { connect, openServer } from '../../src/index.ts';
import { makeTempDir } from '../support/temp-dir.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/** What a program uses that has the package as a dependency, in the strictest of its settings. */
const PROGRAM = `
import { connect, isRejected, MarkerType, openServer, type LogEntry, type Tick } from 'ticklog';

interface Order { qty: number; note?: string }

const server = await openServer({ endpoint: { port: 0 }, maxBodyBytes: '1MiB', pageMaxBytes: 65536 });
const client = connect(server.url, { requestTimeoutMs: 10_000 });
const db = client.use();
const orders = await db.createCollection<Order>('orders');
const written = await orders.insert({ _key: 'a', qty: 1 });
const qty: number = (await orders.get(written._key)).qty;
export const neverCalled = [
  // @ts-expect-error an order has a quantity
  () => orders.insert({ note: 'x' }),
  // @ts-expect-error there are two values
  () => openServer({ sync: 'sometimes' }),
  // @ts-expect-error ticks are big numbers
  () => db.log({ from: 7 }),
];
const results = await orders.insertMany([{ _key: 'a', qty: 1 }, { _key: 'b', qty: qty + 1 }]);
const refused = results.filter(isRejected).map(({ errorNum }) => errorNum);
let last: Tick = 0n;
const shown: string[] = [];
const show = (entry: LogEntry): void => {
  if (entry.type === MarkerType.document) shown.push(\`\${entry.key} \${String(entry.data['qty'])}\`);
};
for await (const entry of db.log({ wait: false, collection: 'orders' })) {
  last = entry.tick;
  show(entry);
}
const { state } = await db.logger.state();
console.log(JSON.stringify({ refused, shown, isLast: last === state.lastLogTick }));
await client.close();
await server.stop();
`;

/** A directory that has the package as it is built among its dependencies. */
async function makeConsumer(directory: string): Promise<void> {
  const modules = join(directory, 'node_modules');
  await mkdir(join(modules, '@types'), { recursive: true });
  await symlink(ROOT, join(modules, 'ticklog'));
  await symlink(join(ROOT, 'node_modules/@types/node'), join(modules, '@types/node'));
  await symlink(join(ROOT, 'node_modules/undici-types'), join(modules, 'undici-types'));
  await writeFile(join(directory, 'package.json'), '{"type":"module"}\n');
}

/** What a compiler has against a file; the JavaScript is beside it afterwards. */
function compile(file: string): string[] {
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    typeRoots: [join(file, '../node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    // Our own types are checked, too.
    skipLibCheck: false,
    preserveSymlinks: false,
  });
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(
    ({ file: where, messageText }) => {
      return `${where?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    },
  );
}

test('a program with the package as a dependency compiles against its types, and runs', async () => {
  await using dir = await makeTempDir();
  await makeConsumer(dir.path);
  await writeFile(join(dir.path, 'program.ts'), PROGRAM);
  expect(compile(join(dir.path, 'program.ts'))).toEqual([]);
  const { stdout, stderr } = await run(process.execPath, [join(dir.path, 'program.js')]);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ refused: [1210], shown: ['a 1', 'b 2'], isLast: true });
}, 120_000);

test('the example of the README prints what stands below it', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const [, section = ''] = readme.split('## In a program\n');
  const [, code = '', output] = /```js\n([^]*?)```\n\n```\n([^]*?)```/.exec(section) ?? [];
  await using dir = await makeTempDir();
  await makeConsumer(dir.path);
  await writeFile(join(dir.path, 'example.js'), code);
  const { stdout, stderr } = await run(process.execPath, [join(dir.path, 'example.js')]);
  expect(stderr).toBe('');
  expect(stdout).toBe(output);
});

test('the example of a feed in docs/LIBRARY.md compiles, and shows changes until it is stopped', async () => {
  const text = await readFile(join(ROOT, 'docs/LIBRARY.md'), 'utf8');
  const [, section = ''] = text.split('## Change feed\n');
  const [, code = ''] = /```ts\n([^]*?)```/.exec(section) ?? [];
  await using dir = await makeTempDir();
  await makeConsumer(dir.path);
  await using server = await openServer();
  const documented = 'http://127.0.0.1:8529';
  expect(code).toContain(documented);
  await writeFile(join(dir.path, 'example.ts'), code.replace(documented, server.url));
  expect(compile(join(dir.path, 'example.ts'))).toEqual([]);
  await using client = connect(server.url);
  const orders = await client.use().createCollection('orders');
  const child = spawn(process.execPath, [join(dir.path, 'example.js')]);
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (errors += String(chunk)));
  const ended = once(child, 'exit');
  await orders.insert({ _key: 'a1', qty: 3 });
  await orders.update('a1', { qty: 4 });
  await orders.remove('a1');
  const wanted = 'new: a1 3\nchanged: a1 4\ngone: a1\n';
  await expect.poll(() => output, { timeout: 20_000 }).toBe(wanted);
  child.kill('SIGINT');
  expect([await ended, errors]).toEqual([[0, null], '']);
}, 120_000);

test('nothing but the entry of the package can be imported', async () => {
  await using dir = await makeTempDir();
  await makeConsumer(dir.path);
  await writeFile(join(dir.path, 'deep.js'), "import 'ticklog/dist/server.js';\n");
  const failed = await run(process.execPath, [join(dir.path, 'deep.js')]).catch((e: unknown) => e);
  expect(String(failed)).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
});
