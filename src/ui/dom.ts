/** The little of a framework that this page needs. */

/** The element of this id. @throws Error when the page has none of this kind */
export function byId<T extends HTMLElement = HTMLElement>(
  id: string,
  kind: abstract new (...args: never) => T = HTMLElement as unknown as new () => T,
): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no '${id}'`);
}

/** Makes an element with a class and what is in it. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...children);
  return element;
}

/** Changes a text only where it differs, so that nothing unchanged is announced or selected away. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows or hides. */
export function setShown(element: HTMLElement, isShown: boolean): void {
  element.hidden = !isShown;
}

/** How a list is kept in the document. */
export interface ListParts<T> {
  readonly keyOf: (item: T) => string;
  readonly create: (item: T) => HTMLElement;
  readonly update: (element: HTMLElement, item: T) => void;
}

/** Makes the children of an element those of the items, keeping the elements of items that stay. */
export function setList<T>(parent: HTMLElement, items: readonly T[], parts: ListParts<T>): void {
  const known = new Map(
    [...parent.children].map((child) => [(child as HTMLElement).dataset['key'] ?? '', child]),
  );
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = parts.keyOf(item);
    const element = (known.get(key) as HTMLElement | undefined) ?? parts.create(item);
    known.delete(key);
    element.dataset['key'] = key;
    parts.update(element, item);
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const left of known.values()) left.remove();
}

/** Rows of a table, each cell a text, with the name of its column, which narrow windows show beside it. */
export function setRows<T>(
  body: HTMLElement,
  items: readonly T[],
  keyOf: (item: T) => string,
  cellsOf: (item: T) => readonly { readonly text: string; readonly kind?: string }[],
): void {
  setList(body, items, {
    keyOf,
    create: (item) => {
      const cells = cellsOf(item).map((_, i) => make(i === 0 ? 'th' : 'td', ''));
      nameColumns(body, cells);
      return make('tr', '', ...cells);
    },
    update: (row, item) => {
      for (const [i, { text, kind = '' }] of cellsOf(item).entries()) {
        const cell = row.children[i];
        if (!cell) continue;
        setText(cell, text);
        if (cell.className !== kind) cell.className = kind;
        if (i === 0 && !cell.hasAttribute('scope')) cell.setAttribute('scope', 'row');
      }
    },
  });
}

/** Gives the cells of a row to be the names of their columns, which narrow windows show beside them. */
export function nameColumns(body: HTMLElement, cells: readonly HTMLElement[]): void {
  const columns = body.closest('table')?.tHead?.rows[0]?.cells ?? [];
  for (const [i, cell] of cells.entries()) {
    cell.dataset['column'] = columns[i]?.textContent ?? '';
  }
}

/** Rows of a list of facts: a term and what there is to say about it; empty facts are left out. */
export function setFacts(list: HTMLElement, facts: readonly (readonly [string, string])[]): void {
  setList(
    list,
    facts.filter(([, text]) => text !== ''),
    {
      keyOf: ([term]) => term,
      create: ([term]) => make('div', '', make('dt', '', term), make('dd', '')),
      update: (row, [, text]) => {
        if (row.lastElementChild) setText(row.lastElementChild, text);
      },
    },
  );
}
