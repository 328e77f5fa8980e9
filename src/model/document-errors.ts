import type { ErrorEntry } from './error-entry.ts';

/** Where an entry of the log does not fit what is here. */
const APPLIER_CURE = 'Run ticklog verify (--repair mends), or copy anew: ticklog make-follower.';

/** Failures of databases, collections, documents, indexes and transactions. */
export const DOCUMENT_ERRORS = {
  unknownCollectionType: {
    errorNum: 1003,
    httpStatus: 400,
    message: 'unknown type',
    cause: 'A collection is to be restored that holds neither documents (2) nor edges (3).',
    cure: 'Correct the type in the structure file of the backup.',
  },
  readOnly: {
    errorNum: 1004,
    httpStatus: 403,
    message: 'read only',
    cause: 'A running applier replicates this collection, so it takes no other writes.',
    cure: 'Write on the leader. Or stop the applier, or configure it with allowWrites.',
  },
  duplicateIdentifier: {
    errorNum: 1005,
    httpStatus: 409,
    message: 'duplicate identifier',
    cause: 'A collection is to be made under an id that another one has.',
    cure: 'Leave the id out, or drop the other collection first.',
  },
  filesystemFull: {
    errorNum: 1104,
    httpStatus: 507,
    message: 'filesystem full',
    cause: 'The disk with the data directory, or the share of it that the server may use, is full.',
    cure: 'Make room there. What is stored can be read meanwhile; writes are taken again by themselves within seconds.',
  },
  noJournal: {
    errorNum: 1105,
    httpStatus: 400,
    message: 'no journal',
    cause: 'A journal was to be rotated, but nothing has been written since the last time.',
    cure: 'Nothing needs to be done.',
  },
  conflict: {
    errorNum: 1200,
    httpStatus: 412,
    message: 'conflict',
    cause:
      'The document has another revision than the one the request names (412), or an open transaction ' +
      'holds it, or a value that it needs (409).',
    cure: 'Read the document, decide again, and send the request with the present revision; or try again later.',
  },
  documentNotFound: {
    errorNum: 1202,
    httpStatus: 404,
    message: 'document not found',
    cause:
      'There is no document of this key, or no dump batch of this id; a batch may have expired.',
    cure: 'Check the key. For a batch: make a new one with a longer time to live.',
    applierCure: APPLIER_CURE,
  },
  collectionNotFound: {
    errorNum: 1203,
    httpStatus: 404,
    message: 'collection not found',
    cause: 'The database has no collection of this name or id.',
    cure: 'Check the name and the database in the path, or create the collection.',
    applierCure: APPLIER_CURE,
  },
  collectionParameterMissing: {
    errorNum: 1204,
    httpStatus: 400,
    message: "parameter 'collection' not found",
    cause: 'The request does not say which collection it is meant for.',
    cure: 'Add collection=<name> to the query.',
  },
  illegalDocumentHandle: {
    errorNum: 1205,
    httpStatus: 400,
    message: 'illegal document handle',
    cause: 'A handle is not of the form <collection>/<key>.',
    cure: 'Correct the handle.',
  },
  journalTooSmall: {
    errorNum: 1206,
    httpStatus: 400,
    message: 'maximal size of journal too small',
    cause: 'The journalSize is below 1048576.',
    cure: 'Ask for at least 1048576 bytes, or leave journalSize out.',
  },
  duplicateName: {
    errorNum: 1207,
    httpStatus: 409,
    message: 'duplicate name',
    cause: 'A database or collection of this name exists.',
    cure: 'Choose another name, or drop or rename the present one.',
    applierCure: APPLIER_CURE,
  },
  illegalName: {
    errorNum: 1208,
    httpStatus: 400,
    message: 'illegal name',
    cause: 'The name is missing, longer than 64 bytes, or has characters that names may not have.',
    cure: 'Begin with a letter (system collections: _) and go on with letters, digits, _ and -.',
  },
  uniqueConstraintViolated: {
    errorNum: 1210,
    httpStatus: 409,
    message: 'unique constraint violated',
    cause: 'A document of this key exists, or one with these values in a unique index.',
    cure: 'Change the values, or update the present document instead.',
    applierCure: APPLIER_CURE,
  },
  indexNotFound: {
    errorNum: 1212,
    httpStatus: 404,
    message: 'index not found',
    cause: 'The collection has no index of this id.',
    cure: 'List the indexes of the collection and take the id from there.',
  },
  crossCollectionRequest: {
    errorNum: 1213,
    httpStatus: 400,
    message: 'cross collection request not allowed',
    cause: 'The request names one collection in its path and another in a handle.',
    cure: 'Name the same collection in both.',
  },
  illegalIndexHandle: {
    errorNum: 1214,
    httpStatus: 400,
    message: 'illegal index handle',
    cause: 'An index id is not of the form <collection>/<digits>.',
    cure: 'Correct the id.',
  },
  capAlreadyDefined: {
    errorNum: 1215,
    httpStatus: 400,
    message: 'cap constraint already defined',
    cause: 'A collection can have one cap only, and this one has it.',
    cure: 'Drop the present cap first.',
  },
  documentTooLarge: {
    errorNum: 1216,
    httpStatus: 400,
    message: 'document too large',
    cause:
      'The document alone is above --document.max-size, or what a body, a transaction, or the cap of its collection ' +
      'may hold.',
    cure: 'Split the document, start the server with higher limits, or make the cap anew with more bytes.',
  },
  collectionTypeInvalid: {
    errorNum: 1218,
    httpStatus: 400,
    message: 'collection type invalid',
    cause: 'An edge was sent to a collection of documents, or a document to one of edges.',
    cure: 'Use a collection of the right type.',
    applierCure: APPLIER_CURE,
  },
  illegalDocumentKey: {
    errorNum: 1221,
    httpStatus: 400,
    message: 'illegal document key',
    cause:
      'The key is no string, is empty, is above 254 bytes or has characters keys may not have.',
    cure: 'Correct _key, or leave it out to be given one.',
  },
  unexpectedDocumentKey: {
    errorNum: 1222,
    httpStatus: 400,
    message: 'unexpected document key',
    cause: 'The document brings a _key, but the collection was made with allowUserKeys false.',
    cure: 'Leave _key out.',
  },
  outOfKeys: {
    errorNum: 1225,
    httpStatus: 400,
    message: 'out of keys',
    cause: 'The autoincrement generator of the collection has reached its last number.',
    cure: 'Send documents with a _key of their own, or go on in a new collection.',
  },
  missingDocumentKey: {
    errorNum: 1226,
    httpStatus: 400,
    message: 'missing document key',
    cause: 'An operation on a document that exists does not say which one.',
    cure: 'Send the _key.',
  },
  invalidDocumentType: {
    errorNum: 1227,
    httpStatus: 400,
    message: 'invalid document type',
    cause: 'The body is JSON, but not an object.',
    cure: 'Send an object.',
  },
  databaseNotFound: {
    errorNum: 1228,
    httpStatus: 404,
    message: 'database not found',
    cause: 'There is no database of this name.',
    cure: 'Check the name behind /_db/, or create the database.',
  },
  databaseNameInvalid: {
    errorNum: 1229,
    httpStatus: 400,
    message: 'database name invalid',
    cause: 'The name is missing, longer than 64 bytes, or has characters that names may not have.',
    cure: 'Begin with a letter and go on with letters, digits, _ and -.',
  },
  systemDatabaseOnly: {
    errorNum: 1230,
    httpStatus: 403,
    message: 'operation only allowed in system database',
    cause: 'Databases are listed, created and dropped in _system only.',
    cure: 'Send the request without /_db/<name>, or to /_db/_system.',
  },
  invalidKeyGenerator: {
    errorNum: 1232,
    httpStatus: 400,
    message: 'invalid key generator',
    cause: 'The keyOptions name a generator that does not exist, or values it does not take.',
    cure: 'Use traditional, or autoincrement with an offset from 0 and an increment from 1.',
  },
  edgeAttributeMissing: {
    errorNum: 1233,
    httpStatus: 400,
    message: 'edge attribute missing',
    cause: 'An edge has no _from or _to, or one that is no string.',
    cure: 'Send both, each of the form <collection>/<key>.',
  },
  cursorNotFound: {
    errorNum: 1600,
    httpStatus: 404,
    message: 'cursor not found',
    cause: 'There is nothing to go on reading under this id; it may have expired.',
    cure: 'Begin the reading anew.',
  },
  transactionInternal: {
    errorNum: 1650,
    httpStatus: 500,
    message: 'internal transaction error',
    cause: 'A transaction is in a state it can not be in.',
    cure: 'Look for the request in the log of the server, and report what you find there.',
  },
  transactionNested: {
    errorNum: 1651,
    httpStatus: 400,
    message: 'nested transactions detected',
    cause: 'A transaction was begun inside of another.',
    cure: 'Finish the outer one first.',
  },
  transactionUnregisteredCollection: {
    errorNum: 1652,
    httpStatus: 400,
    message: 'unregistered collection used in transaction',
    cause:
      'The transaction writes to a collection that it did not name for writing when it began, or reads one ' +
      'that it did not name although it was begun with allowImplicit false.',
    cure: 'Name the collection at the beginning.',
  },
  transactionDisallowed: {
    errorNum: 1653,
    httpStatus: 400,
    message: 'disallowed operation inside transaction',
    cause:
      'The transaction has ended already, perhaps because nobody used it for too long; or collections or ' +
      'indexes were to be created, dropped or changed inside of it.',
    cure: 'Begin a new transaction. Change collections and indexes before or after it.',
  },
  transactionNotFound: {
    errorNum: 1655,
    httpStatus: 404,
    message: 'transaction not found',
    cause:
      'The database has no transaction of this id. It may have ended long ago, or with the server that it ' +
      'was begun on: transactions do not outlive a restart.',
    cure: 'Begin a new one.',
  },
} as const satisfies Record<string, ErrorEntry>;
