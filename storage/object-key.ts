import { StorageError } from './storage-error';

const PART = /^[A-Za-z0-9_][A-Za-z0-9._=+@-]{0,199}$/;
const LONGEST_KEY = 900;

/**
 * Lets through what every store takes as it is: parts of letters, digits and `._=+@-`, none beginning with a dot, with
 * one `/` between them, 900 characters in all. So no key leaves the root, and none is hidden or needs escaping.
 *
 * @throws {StorageError} `denied`.
 */
export function requireObjectKey(key: string): string {
  if (key.length <= LONGEST_KEY && key.split('/').every((part) => PART.test(part))) return key;
  throw new StorageError('denied', `${JSON.stringify(key)} is not a key of an object`);
}
