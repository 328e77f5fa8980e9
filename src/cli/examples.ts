const L = 'tcp://127.0.0.1:8529';
const F = 'tcp://127.0.0.1:8530';

/** At least one for each command, by the words it is called with. */
export const EXAMPLES: Readonly<
  Record<string, readonly (readonly [line: string, what: string])[]>
> = {
  serve: [
    ['serve --database.directory ./leader', 'on port 8529, for this machine only'],
    [`serve --database.directory ./follower --server.endpoint ${F}`, 'another one beside it'],
  ],
  sync: [
    [`sync ${L} --server.endpoint ${F}`, 'copy all of the leader'],
    [`sync ${L} --server.endpoint ${F} --collection orders`, 'only one collection'],
  ],
  'make-follower': [
    [`make-follower ${L} --server.endpoint ${F}`, 'copy, then follow'],
    [`make-follower ${L} --server.endpoint ${F} --yes`, 'as above, without being asked'],
    [
      `make-follower ${L} --server.endpoint ${F} --collection later --allow-missing`,
      'only this one, also if it is yet to be created',
    ],
  ],
  applier: [[`applier state --server.endpoint ${F}`, 'what it does']],
  'applier start': [
    [`applier start --server.endpoint ${F}`, 'go on where it was'],
    [`applier start --from 4711 --server.endpoint ${F}`, 'after this tick'],
  ],
  'applier stop': [[`applier stop --server.endpoint ${F}`, 'until it is started again']],
  'applier state': [
    [`applier state --server.endpoint ${F}`, 'what it does, and what is wrong'],
    [`applier state -o json --server.endpoint ${F}`, 'for programs'],
  ],
  'applier config': [
    [`applier config --server.endpoint ${F}`, 'show the settings'],
    [`applier config --set autoResync=true --server.endpoint ${F}`, 'change one'],
  ],
  'applier forget': [[`applier forget --server.endpoint ${F}`, 'follow nobody any more']],
  logger: [['logger state', 'how far the log reaches, and who reads it']],
  'logger start': [['logger start', 'log changes from now on']],
  'logger stop': [['logger stop --yes', 'log no more changes, whoever follows']],
  'logger state': [
    ['logger state --server.database shop', 'of another database'],
    ['logger state -o json', 'for programs'],
  ],
  'logger forget': [['logger forget 20015998343868', 'a follower that does not come back']],
  'logger config': [
    ['logger config', 'show the settings'],
    ['logger config --set maxEvents=2000000', 'keep more of the log'],
  ],
  status: [
    ['status', 'one screen'],
    ['status --watch', 'again every two seconds'],
    [`status --max-lag 10 --server.endpoint ${F}`, 'ends with 4 when it is further behind'],
    ['status -o json', 'for programs'],
  ],
  inventory: [
    ['inventory', 'collections with documents and bytes'],
    ['inventory --include-system-collections -o json', 'all of them, for programs'],
  ],
  follow: [
    ['follow --pretty', 'the log for people'],
    ['follow --from now --wait --pretty', 'only what comes from now on'],
    ['follow --from 4711 --wait --collection orders', 'what comes, as JSON lines'],
  ],
  verify: [
    [`verify ${L} ${F}`, 'prove that they hold the same'],
    [`verify ${L} ${F} --all-databases --wait 30`, 'all databases, while others write'],
    [`verify ${L} ${F} --repair`, 'mend the documents that differ'],
    [`verify ${L} ${F} --repair --yes`, 'the same without being asked'],
  ],
  promote: [
    [`promote --server.endpoint ${F}`, 'make a leader of a follower'],
    [`promote --all-databases --server.endpoint ${F}`, 'in all of its databases'],
  ],
  dump: [
    ['dump --output-directory ./backup', 'back up _system'],
    ['dump --output-directory ./backup --continue', 'go on after an interruption'],
    ['dump --all-databases --output-directory ./backup', 'each to a directory of its name'],
  ],
  restore: [
    ['restore --input-directory ./backup', 'ask before something is replaced'],
    ['restore --input-directory ./backup --yes --collection orders', 'without being asked'],
    ['restore --input-directory ./backup --continue', 'go on after an interruption'],
  ],
  database: [['database list', 'the databases of a server']],
  'database create': [['database create shop', 'an empty database']],
  'database list': [['database list -o json', 'for programs']],
  'database drop': [['database drop shop --yes', 'with all that is in it']],
  user: [['user list', 'who there is, and what they may']],
  'user list': [['user list --server.username root', 'asks for the password']],
  'user create': [
    ['user create ann', 'asks for the password'],
    ['user create ann --password-file ann.txt --grant shop=rw', 'with a right'],
  ],
  'user grant': [
    ['user grant ann shop rw', 'may read and write'],
    ["user grant ann '*' ro", 'may read everything else'],
  ],
  'user password': [['user password ann', 'asks for the new one']],
  'user remove': [['user remove ann', 'with all rights']],
  check: [['check ./leader', 'while the server is stopped']],
};

const WIDTH_MAX = 80;

/** What help shows below the flags of a command; empty where there is none. */
export function examplesText(command: string): string {
  const examples = EXAMPLES[command] ?? [];
  if (examples.length === 0) return '';
  return ['', 'Examples:', ...examples.flatMap(([line, what]) => exampleLines(line, what))].join(
    '\n',
  );
}

function exampleLines(line: string, what: string): string[] {
  const whole = `  ticklog ${line}`;
  const lines = whole.length <= WIDTH_MAX ? [whole] : broken(whole);
  return [`  # ${what}`, ...lines];
}

/** Goes on in the next line before the last flag that still fits. */
function broken(line: string): string[] {
  const at = line.lastIndexOf(' --', WIDTH_MAX - 2);
  return [`${line.slice(0, at)} \\`, `     ${line.slice(at)}`];
}
