/** Postgres keeps no NUL in text; half a surrogate pair, which a cut may leave, becomes U+FFFD on the way. */
export const storable = (text: string, maxLength = text.length): string =>
  text.slice(0, maxLength).replaceAll('\u0000', '');
