/** A YAML file is imported as the value it holds; .config/vitest.config.ts parses it. */
declare module '*.yaml' {
  const value: unknown;
  export default value;
}
