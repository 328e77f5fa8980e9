// The HTTP reference as one static page, out of api-spec/openapi.yaml.

/**
 * What of the document is shown.
 * @typedef {{ [name: string]: unknown, $ref?: string, description?: string, type?: string | string[],
 *   properties?: Record<string, Schema | boolean>, required?: string[], items?: Schema | boolean,
 *   oneOf?: Schema[], anyOf?: Schema[], allOf?: Schema[], contentSchema?: Schema | boolean,
 *   enum?: unknown[] }} Schema
 * @typedef {{ $ref?: string, name?: string, in?: string, required?: boolean, schema?: Schema,
 *   description?: string }} Parameter
 * @typedef {Record<string, { schema?: Schema, example?: unknown }>} Contents
 * @typedef {{ $ref?: string, description?: string, headers?: Record<string, unknown>,
 *   content?: Contents }} Message
 * @typedef {{ operationId: string, tags?: string[], summary?: string, description?: string,
 *   parameters?: Parameter[], requestBody?: Message, responses?: Record<string, Message> }} Operation
 * @typedef {{ info: { version: string, description?: string },
 *   tags: { name: string, description?: string }[], paths: Record<string, Record<string, unknown>>,
 *   components: { schemas?: Record<string, Schema> } }} Document
 * @typedef {{ method: string, path: string, parameters: Parameter[], operation: Operation }} Place
 * @typedef {{ name: string, description?: string, operations: Place[] }} Tag
 */

const METHODS = ['get', 'put', 'post', 'patch', 'delete'];
/** Schemas within schemas that are shown where they are used; what is deeper is cut off. */
const DEPTH_MAX = 8;

/**
 * @param {Document} document
 * @returns {string} the whole page
 */
export function renderReference(document) {
  const operations = operationsOf(document);
  const tags = document.tags.map((tag) => ({
    ...tag,
    operations: operations.filter(({ operation }) => operation.tags?.[0] === tag.name),
  }));
  const page = new Reference(document);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>HTTP reference – ticklog</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="style.css">
<link rel="stylesheet" href="reference.css">
</head>
<body class="reference">
<a class="skip" href="#content">Skip to the reference</a>
<header class="top">
<a class="brand" href="./"><img src="icon.svg" alt="" width="26" height="26">ticklog</a>
<span class="quiet grow">HTTP reference, ${escaped(document.info.version)}</span>
<a href="./">Status</a>
</header>
<div class="sides">
<nav aria-label="All paths">
<a href="#about">About all requests</a>
${tags.map(navOf).join('\n')}
<a href="#schemas">Shapes</a>
</nav>
<main id="content" tabindex="-1">
<section class="card" id="about"><h1>HTTP reference</h1>
${prose(document.info.description)}
</section>
${tags.map((tag) => page.tag(tag)).join('\n')}
${page.schemas()}
</main>
</div>
</body>
</html>
`;
}

/**
 * @param {Document} document
 * @returns {Place[]}
 */
function operationsOf({ paths }) {
  return Object.entries(paths).flatMap(([path, item]) => {
    const shared = /** @type {Parameter[] | undefined} */ (item['parameters']) ?? [];
    return METHODS.filter((method) => method in item).map((method) => {
      const operation = /** @type {Operation} */ (item[method]);
      const parameters = [...shared, ...(operation.parameters ?? [])];
      return { method: method.toUpperCase(), path, parameters, operation };
    });
  });
}

/** @param {Tag} tag */
function navOf({ name, operations }) {
  const lines = operations.map(
    ({ method, path, operation }) =>
      `<li><a href="#${operation.operationId}"><b class="${method}">${method}</b> ${breakable(path)}</a></li>`,
  );
  return `<details><summary>${escaped(name)}</summary><ul>${lines.join('')}</ul></details>`;
}

class Reference {
  /** @type {Document} */
  #document;

  /** @param {Document} document */
  constructor(document) {
    this.#document = document;
  }

  /** @param {Tag} tag */
  tag({ name, description = '', operations }) {
    const list = operations.map((each) => this.#operation(each)).join('\n');
    return `<h2 class="tag" id="tag-${escaped(name)}">${escaped(name)}</h2>${prose(description)}${list}`;
  }

  schemas() {
    const all = Object.entries(this.#document.components.schemas ?? {}).map(
      ([name, schema]) =>
        `<section class="card" id="schema-${escaped(name)}"><h3>${escaped(name)}</h3>${this.#schema(schema)}</section>`,
    );
    return `<h2 class="tag" id="schemas">Shapes</h2>${all.join('\n')}`;
  }

  /** @param {Place} place */
  #operation({ method, path, parameters, operation }) {
    const answers = Object.entries(operation.responses ?? {});
    return `<section class="card" id="${operation.operationId}">
<h3><b class="${method}">${method}</b> <code>${breakable(path)}</code></h3>
<p class="summary">${inline(operation.summary ?? '')}</p>
${prose(operation.description)}
${this.#parameters(parameters.map((each) => this.#resolved(each)))}
${operation.requestBody ? `<h4>Body</h4>${this.#body(this.#resolved(operation.requestBody))}` : ''}
<h4>Answers</h4>
${answers.map(([status, each]) => this.#answer(status, this.#resolved(each))).join('\n')}
</section>`;
  }

  /** @param {Parameter[]} parameters */
  #parameters(parameters) {
    if (parameters.length === 0) return '';
    const rows = parameters.map(({ name, in: where, required, schema, description }) => {
      const need = required === true ? ', needed' : '';
      return `<tr><th scope="row"><code>${escaped(name)}</code></th><td>${escaped(where)}${need}</td><td>${this.#schema(schema)}${prose(description)}</td></tr>`;
    });
    return `<h4>Parameters</h4><div class="scroll open"><table><thead><tr><th scope="col">Name</th><th scope="col">In</th><th scope="col">Meaning</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
  }

  /** @param {Message} body */
  #body({ description, content = {} }) {
    return `${prose(description)}${this.#contents(content)}`;
  }

  /**
   * @param {string} status
   * @param {Message} answer
   */
  #answer(status, { description, headers = {}, content = {} }) {
    const names = Object.keys(headers);
    const sent =
      names.length === 0
        ? ''
        : `<p class="quiet">Headers: ${names.map((name) => `<code>${escaped(name)}</code>`).join(', ')}</p>`;
    const shown = status === 'default' ? 'else' : status;
    return `<details class="answer"><summary><b class="status s${shown[0] ?? ''}">${shown}</b> ${inline(description ?? '')}</summary>${sent}${this.#contents(content)}</details>`;
  }

  /** @param {Contents} contents by their types */
  #contents(contents) {
    return Object.entries(contents)
      .map(([type, { schema, example }]) => {
        const text = typeof example === 'string' ? example : JSON.stringify(example, null, 2);
        const shown =
          example === undefined || text === '' ? '' : `<pre tabindex="0">${escaped(text)}</pre>`;
        return `<p class="quiet"><code>${escaped(type)}</code></p>${this.#schema(schema)}${shown}`;
      })
      .join('');
  }

  /**
   * @param {Schema | boolean | undefined} schema
   * @param {number} [depth]
   * @returns {string}
   */
  #schema(schema, depth = 0) {
    // What takes anything, or nothing, says no more.
    if (typeof schema !== 'object' || depth > DEPTH_MAX) return '';
    const words = typeOf(schema);
    const said = schema.description === undefined ? '' : ` – ${inline(schema.description)}`;
    const inside = this.#inside(schema, depth);
    if (words === '' && said === '') return inside;
    return `<span class="shape">${words}${said}</span>${inside}`;
  }

  /**
   * @param {Schema} schema
   * @param {number} depth
   */
  #inside({ properties, required = [], items, oneOf, anyOf, allOf, contentSchema }, depth) {
    const members = Object.entries(properties ?? {}).map(([name, member]) => {
      const need = required.includes(name) ? '' : '<span class="quiet">?</span>';
      return `<li><code>${escaped(name)}</code>${need} ${this.#schema(member, depth + 1)}</li>`;
    });
    const choices = [...(oneOf ?? anyOf ?? []), ...(allOf ?? [])].map(
      (each) => `<li>${this.#schema(each, depth + 1)}</li>`,
    );
    const within = [items, contentSchema]
      .filter((each) => typeof each === 'object')
      .map((each) => this.#schema(each, depth + 1))
      .join('');
    const list = (/** @type {string[]} */ all) =>
      all.length === 0 ? '' : `<ul class="members">${all.join('')}</ul>`;
    return (
      list(members) + list(choices) + (within === '' ? '' : `<div class="within">${within}</div>`)
    );
  }

  /**
   * What a reference leads to, or the thing itself.
   * @template {{ $ref?: string }} T
   * @param {T} node
   * @returns {T}
   */
  #resolved(node) {
    const reference = node.$ref;
    if (reference === undefined) return node;
    /** @type {unknown} */
    let found = this.#document;
    for (const name of reference.slice('#/'.length).split('/')) {
      found = /** @type {Record<string, unknown> | undefined} */ (found)?.[name];
    }
    if (found === undefined) throw new Error(`${reference} is not in the document`);
    return this.#resolved(/** @type {T} */ (found));
  }
}

/**
 * What kind of value it is, in words.
 * @param {Schema} schema
 */
function typeOf(schema) {
  if (schema.$ref !== undefined) {
    const name = escaped(schema.$ref.split('/').at(-1) ?? '');
    return `<a href="#schema-${name}">${name}</a>`;
  }
  const values = 'const' in schema ? [schema['const']] : schema.enum;
  if (values) {
    return values.map((each) => `<code>${escaped(JSON.stringify(each))}</code>`).join(' or ');
  }
  const types = [schema.type ?? []].flat().join(' or ');
  const some = [
    ...(schema.oneOf || schema.anyOf ? ['one of'] : []),
    ...(schema.allOf ? ['all of'] : []),
    ...(types === '' ? [] : [types === 'array' ? 'array of' : types]),
  ];
  const bounds = ['minimum', 'maximum', 'minLength', 'maxLength', 'pattern', 'format', 'default']
    .filter((name) => schema[name] !== undefined)
    .map((name) => `${name} ${String(schema[name])}`);
  const more =
    bounds.length === 0 ? '' : ` <span class="quiet">(${escaped(bounds.join(', '))})</span>`;
  return `<i>${escaped(some.join(', '))}</i>${more}`;
}

/**
 * Paragraphs, and lists of lines that begin with a dash.
 * @param {string | undefined} text
 */
function prose(text) {
  if (text === undefined || text.trim() === '') return '';
  return text
    .trim()
    .split(/\n\s*\n/)
    .map((part) => {
      const items = part.split(/^\s*- /m);
      if (items.length === 1) return `<p>${inline(part)}</p>`;
      const [before = '', ...rest] = items;
      const head = before.trim() === '' ? '' : `<p>${inline(before)}</p>`;
      return `${head}<ul>${rest.map((each) => `<li>${inline(each)}</li>`).join('')}</ul>`;
    })
    .join('');
}

/** @param {string} text with `code` and **strong** words */
function inline(text) {
  return escaped(text.trim())
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>');
}

/** @param {string} path that may be broken behind its slashes */
function breakable(path) {
  return escaped(path).replaceAll('/', '/<wbr>');
}

/** @param {unknown} text */
function escaped(text) {
  return String(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
