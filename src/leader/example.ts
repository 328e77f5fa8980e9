/** Attributes, by names or by paths with points, and the values that a document must have there. */
export type Example = Readonly<Record<string, unknown>>;

/**
 * Whether a document has the values of an example: each equal to that of the document, whose attributes may stand in another
 * order. null is also what a document does not have.
 */
export function matches(document: object, example: Example): boolean {
  return Object.entries(example).every(([path, value]) => isEqual(valueAt(document, path), value));
}

/** An attribute of the whole name goes before one within another. */
function valueAt(document: object, path: string): unknown {
  if (Object.hasOwn(document, path)) return (document as Record<string, unknown>)[path];
  let value: unknown = document;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every(
      (name) =>
        Object.hasOwn(b, name) &&
        isEqual((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]),
    )
  );
}
