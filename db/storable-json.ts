/**
 * JSON that Postgres takes: it has neither NUL nor half a character, which become the replacement character. As escapes
 * these two stand only for themselves: `JSON.stringify` writes whole characters as they are.
 */
export const storableJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(/\\u(0000|d[89a-f][0-9a-f]{2})/g, '\\ufffd');
