import { SAMPLE_PASSWORDS } from './sample-values';

const LEAST_LENGTH = 12;
/** As long as a log-in takes; what is longer is hashed no safer. */
const MOST_LENGTH = 1_024;
/** Of lower case, upper case, digits, and everything else (spaces, signs, letters without case). */
const LEAST_KINDS = 3;
const KINDS = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{Ll}\p{Lu}\p{Nd}]/u];
/** `Aa1!Aa1!Aa1!` has the length and the kinds, and four characters. */
const LEAST_DISTINCT = 6;

/** What is wrong with a password that somebody wants to have, in words that complete "The password …"; null: nothing. */
export function passwordFault(password: string, user: string | null = null): string | null {
  const characters = Array.from(password.normalize('NFKC'));
  const plain = password.toLowerCase();
  if (characters.length < LEAST_LENGTH) return `has fewer than ${String(LEAST_LENGTH)} characters`;
  if (characters.length > MOST_LENGTH) return `has more than ${String(MOST_LENGTH)} characters`;
  if (KINDS.filter((kind) => kind.test(password)).length < LEAST_KINDS)
    return 'needs three of: lower case, upper case, digits, anything else';
  if (new Set(characters).size < LEAST_DISTINCT) return `has fewer than ${String(LEAST_DISTINCT)} different characters`;
  if (user !== null && user.length >= 3 && plain.includes(user.toLowerCase())) return 'contains the name of its user';
  if (SAMPLE_PASSWORDS.some((sample) => plain === sample.toLowerCase())) return 'is one that stands in every list';
  return null;
}
