import type { ErrorEntry } from './error-entry.ts';

/** Failures of requests about users. */
export const USER_ERRORS = {
  userInvalidName: {
    errorNum: 1700,
    httpStatus: 400,
    message: 'invalid user name',
    cause:
      'The name is missing, empty, longer than 128 bytes, or holds a colon, a slash or a control character.',
    cure: 'Choose another name.',
  },
  userDuplicate: {
    errorNum: 1702,
    httpStatus: 409,
    message: 'duplicate user',
    cause: 'There is a user of this name already.',
    cure:
      'Choose another name, or change that user: ticklog user password and user grant, or PATCH and PUT ' +
      '/_api/user/<user>.',
  },
  userNotFound: {
    errorNum: 1703,
    httpStatus: 404,
    message: 'user not found',
    cause: 'There is no user of this name.',
    cure: 'Check the name for a slip; ticklog user list (GET /_api/user) lists them.',
  },
} as const satisfies Record<string, ErrorEntry>;
