/** Whether an error of the file system says that there is nothing of this path, also because a part of it is a file. */
export function isNothingThere(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
