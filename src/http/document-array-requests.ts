import type { Collection } from '../documents/collection.ts';
import type { ArrayElement } from '../documents/document-arrays.ts';
import {
  type DocumentOperation,
  insertOperation,
  removeOperation,
  replaceOperation,
  updateOperation,
} from '../documents/document-operations.ts';
import { ServiceError } from '../model/errors.ts';
import { parseHandle } from '../model/names.ts';
import { parseJson, splitArray } from '../protocol/json-text.ts';
import { type Query, booleanParam } from '../protocol/params.ts';
import { mergeSettings, overwriteMode, writeSettings } from './document-params.ts';

/** What is to be done with each element of an array, by the method of the request. */
export type ArrayMethod = 'post' | 'put' | 'patch' | 'delete';

interface Element {
  readonly text: string;
  readonly value: unknown;
}

type MakeOperation = (element: Element) => DocumentOperation;

/**
 * Reads the operations out of an array body (3.x). An element that cannot be is an operation that
 * fails; only a body that is no array at all is refused.
 * @returns undefined for JSON that is no array
 * @throws ServiceError invalidJson (600), badParameter for an unknown `overwriteMode`
 */
export function arrayElements(
  method: ArrayMethod,
  body: string,
  query: Query,
  collection: Collection,
): ArrayElement[] | undefined {
  const values = parseJson(body);
  if (!Array.isArray(values)) return undefined;
  const make = operationMaker(method, query, collection);
  return (splitArray(body) ?? []).map(({ start, end }, i) => {
    const text = body.slice(start, end);
    const bytes = end - start;
    try {
      return { operation: make({ text, value: values[i] as unknown }), bytes };
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return { operation: error, bytes };
    }
  });
}

function operationMaker(method: ArrayMethod, query: Query, collection: Collection): MakeOperation {
  const settings = { ...writeSettings(query), ...mergeSettings(query) };
  const wantsRevs = !booleanParam(query, 'ignoreRevs', true);
  const precondition = (value: object): { rev?: string | undefined } =>
    wantsRevs ? { rev: revOf(value) } : {};
  switch (method) {
    case 'post': {
      const insert = { ...settings, overwriteMode: overwriteMode(query) };
      return ({ text }) => insertOperation(text, insert);
    }
    case 'put':
      return ({ text, value }) => {
        const document = objectOf(value);
        const put = { ...settings, ...precondition(document) };
        return replaceOperation(keyIn(document), text, put);
      };
    case 'patch':
      return ({ text, value }) => {
        const document = objectOf(value);
        const patch = { ...settings, ...precondition(document) };
        return updateOperation(keyIn(document), text, patch);
      };
    case 'delete':
      return ({ value }) => {
        const key = selectedKey(value, collection);
        return removeOperation(key, {
          ...settings,
          ...(isObject(value) ? precondition(value) : {}),
        });
      };
  }
}

/** One document of several that are asked for. */
export interface SelectedDocument {
  readonly key: string;
  /** The revision it must have. */
  readonly rev: string | undefined;
}

/**
 * Reads what an array body selects: keys, ids, or documents with their keys (3.x).
 * @returns undefined for JSON that is no array; an error for an element that selects nothing
 * @throws ServiceError invalidJson (600)
 */
export function selectedDocuments(
  body: string,
  query: Query,
  collection: Collection,
): (SelectedDocument | ServiceError)[] | undefined {
  const values = parseJson(body);
  if (!Array.isArray(values)) return undefined;
  const wantsRevs = !booleanParam(query, 'ignoreRevs', true);
  return values.map((value: unknown) => {
    try {
      const rev = wantsRevs && isObject(value) ? revOf(value) : undefined;
      return { key: selectedKey(value, collection), rev };
    } catch (error) {
      if (error instanceof ServiceError) return error;
      throw error;
    }
  });
}

/**
 * Nothing but a document or the name of one says which it is.
 * @throws ServiceError illegalDocumentHandle, illegalDocumentKey, crossCollectionRequest
 */
function selectedKey(value: unknown, collection: Collection): string {
  if (typeof value === 'string') return keyOfSelector(value, collection);
  if (!isObject(value)) throw new ServiceError('illegalDocumentHandle');
  return keyIn(value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws ServiceError invalidDocumentType */
function objectOf(value: unknown): object {
  if (!isObject(value)) throw new ServiceError('invalidDocumentType');
  return value;
}

/** @throws ServiceError illegalDocumentHandle without a key, illegalDocumentKey for one that is no text */
function keyIn(document: object): string {
  const { _key: key } = document as { _key?: unknown };
  if (key === undefined) {
    throw new ServiceError('illegalDocumentHandle', "the element says with no '_key' which it is");
  }
  if (typeof key !== 'string') throw new ServiceError('illegalDocumentKey');
  return key;
}

/** A key, or an id of this collection. @throws ServiceError illegalDocumentHandle, crossCollectionRequest */
function keyOfSelector(selector: string, collection: Collection): string {
  if (!selector.includes('/')) return selector;
  const handle = parseHandle(selector);
  if (!handle) throw new ServiceError('illegalDocumentHandle');
  const isOwn = handle.collection === collection.name || handle.collection === collection.cid;
  if (!isOwn) throw new ServiceError('crossCollectionRequest');
  return handle.key;
}

function revOf(document: object): string | undefined {
  const { _rev: rev } = document as { _rev?: unknown };
  return typeof rev === 'string' ? rev : undefined;
}
