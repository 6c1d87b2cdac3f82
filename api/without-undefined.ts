/** A field that was left out is not there at all, rather than there and `undefined`: nothing is overwritten with nothing. */
export const withoutUndefined = <Fields>(body: {
  [Name in keyof Fields]?: Fields[Name] | undefined;
}): Partial<Fields> =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as Partial<Fields>; // same names and values
