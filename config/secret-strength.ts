import { SAMPLE_WORDS } from './sample-values';

export const LEAST_SECRET_LENGTH = 32;
/**
 * Bits by the frequencies of its characters: 32 hex digits that were drawn have 92 to 125 of the 128 that went in,
 * typed rows of a few letters have half of that.
 */
const LEAST_BITS = 80;

/**
 * What is wrong with a secret that signs tokens, in words that complete "The secret …"; null: nothing. A guess from its
 * looks: it finds what somebody typed, not what was drawn by a bad generator. Never quotes it.
 */
export function secretFault(secret: string, { samplesAllowed }: { readonly samplesAllowed: boolean }): string | null {
  if (secret.length < LEAST_SECRET_LENGTH) return `has fewer than ${String(LEAST_SECRET_LENGTH)} characters`;
  if (isRepetition(secret)) return 'repeats itself';
  if (mostlyConsecutive(secret)) return 'counts up or down';
  if (entropyBits(secret) < LEAST_BITS) return 'is too regular to have been drawn: openssl rand -base64 48';
  if (!samplesAllowed && SAMPLE_WORDS.test(secret)) return 'is a sample value: openssl rand -base64 48';
  return null;
}

/** Shannon's, of the characters as they are distributed in it. */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / text.length);
  return -text.length * shares.reduce((sum, share) => sum + share * Math.log2(share), 0);
}

/** Found in its double, but for the ends, only when it is a shorter text again and again. */
const isRepetition = (text: string): boolean => (text + text).slice(1, -1).includes(text);

/** `abcdef…`, `987654…`, `aaaa…`: of what was drawn from 16 signs a fifth of the steps look like that. */
function mostlyConsecutive(text: string): boolean {
  const steps = Array.from(
    { length: text.length - 1 },
    (_each, index) => text.charCodeAt(index + 1) - text.charCodeAt(index),
  );
  return steps.filter((step) => Math.abs(step) <= 1).length > steps.length / 2;
}
