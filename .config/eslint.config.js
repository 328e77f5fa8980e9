import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Which folders of src a folder may import from, besides itself. The table of docs/ARCHITECTURE.md. */
const ALLOWED_IMPORTS = {
  base: [],
  model: ['base'],
  protocol: ['base', 'model'],
  storage: ['base', 'model'],
  changelog: ['base', 'model', 'protocol', 'storage'],
  documents: ['base', 'model', 'protocol', 'storage', 'changelog'],
  access: ['base', 'model', 'storage'],
  leader: ['base', 'model', 'protocol', 'storage', 'changelog', 'documents'],
  follower: ['base', 'model', 'protocol', 'storage', 'changelog', 'documents'],
  http: ['base', 'model', 'protocol', 'access', 'documents', 'leader', 'follower'],
  metrics: ['base', 'storage', 'documents', 'leader', 'follower', 'http'],
  client: ['base', 'model', 'protocol', 'follower'],
  cli: ['base', 'model', 'protocol', 'follower'],
  config: ['base', 'model'],
  // Runs in browsers, and finds there little but itself (build-ui.mjs): it takes types, mostly.
  ui: ['model'],
};

/**
 * Everything that leaves a folder must go to a file directly in an allowed one; this also rules out
 * `../server.ts`, `../../test` and folders within folders.
 * @param {string} folder
 * @param {readonly string[]} allowed
 */
function importRules(folder, allowed) {
  const targets = allowed.length === 0 ? '' : `(?!(?:${allowed.join('|')})/[^/]+$)`;
  return {
    name: `ticklog/imports-of-${folder}`,
    files: [`src/${folder}/**/*.ts`],
    rules: restrictImports(
      {
        regex: `^\\.\\./${targets}`,
        message: `${folder} may import from: ${allowed.join(', ') || 'nothing'}.`,
      },
      { regex: '^\\./.*/', message: 'Folders are flat.' },
    ),
  };
}

/** @param {{ regex: string, message: string }[]} patterns */
function restrictImports(...patterns) {
  /** @type {Record<string, ['error', object]>} */
  const rules = { 'no-restricted-imports': ['error', { patterns }] };
  return rules;
}

export default defineConfig(
  { ignores: ['dist*/**', 'coverage/**', 'node_modules/**'] },
  tseslint.configs.strictTypeChecked,
  {
    name: 'ticklog/everything',
    languageOptions: {
      parserOptions: {
        project: ['.config/tsconfig.test.json', '.config/tsconfig.ui.json'],
        tsconfigRootDir: new URL('..', import.meta.url).pathname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'No barrels: import from the file itself.' },
        {
          // A constructor cannot be #private.
          selector:
            ':matches(PropertyDefinition, MethodDefinition[kind!="constructor"])[accessibility="private"]',
          message: 'Private members are #private.',
        },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      // Whoever reads a record names its type; its checksum says that it is what was written.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    name: 'ticklog/src',
    files: ['src/**/*.ts'],
    ignores: ['src/main.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'Only main.ts touches the process; pass in what is needed.' },
      ],
      'no-restricted-properties': [
        'error',
        {
          property: 'snapshot',
          message:
            'Nothing holds a snapshot of LevelDB (docs/ARCHITECTURE.md): read in pieces, or from a CollectionView.',
        },
      ],
    },
  },
  {
    name: 'ticklog/no-console',
    files: ['src/**/*.ts'],
    ignores: ['src/main.ts', 'src/cli/**'],
    rules: { 'no-console': 'error' },
  },
  {
    name: 'ticklog/imports-of-main',
    files: ['src/main.ts'],
    rules: restrictImports({
      regex: '^\\.\\./',
      message: 'src imports nothing from outside of src.',
    }),
  },
  {
    name: 'ticklog/imports-of-server',
    files: ['src/{server,open-core,server-core,store-keeper,check-directory}.ts'],
    rules: restrictImports({
      regex: '^\\.(?:\\./|/(?:cli|client)/|/(?:main|index|open-server)\\.ts)',
      message: 'server may import from everything in src but client, cli, and what is above it.',
    }),
  },
  {
    name: 'ticklog/imports-of-index',
    files: ['src/index.ts', 'src/open-server.ts'],
    rules: restrictImports({
      regex: '^\\.(?:\\./|/cli/|/main\\.ts)',
      message: 'what programs import may use everything in src but cli and main.',
    }),
  },
  Object.entries(ALLOWED_IMPORTS).map(([folder, allowed]) => importRules(folder, allowed)),
  {
    name: 'ticklog/types-for-ui',
    files: ['src/ui/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^\\.\\./(?!model/(?:error-words|write-rate)\\.ts$)',
              allowTypeImports: true,
              message:
                'The page takes types of the server, and only the code that build-ui.mjs gives it.',
            },
          ],
        },
      ],
    },
  },
  {
    name: 'ticklog/tests',
    files: ['test/**/*.ts'],
    rules: {
      // The body of a describe() is one function, and a test that indexes may fail by throwing.
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
