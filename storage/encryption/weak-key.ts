/** 32 random bytes have fewer different ones once in 10^12 keys. */
const LEAST_DIFFERENT_BYTES = 18;

/**
 * What shows that a key was made up rather than drawn, or null. Each of these befalls a random key less often than once in
 * 10^12: few different bytes (all equal, or a short pattern repeated), text, or a row of equal steps.
 */
export function weaknessOf(key: Uint8Array): string | null {
  if (new Set(key).size < LEAST_DIFFERENT_BYTES) return 'its bytes repeat';
  if (key.every((byte) => byte >= 0x20 && byte < 0x7f)) return 'it is text';
  if (key.every((_, index) => index < 2 || stepTo(key, index) === stepTo(key, 1))) return 'its bytes are a row';
  return null;
}

const stepTo = (key: Uint8Array, index: number): number => ((key[index] ?? 0) - (key[index - 1] ?? 0)) & 0xff;
