/** A secret that a whole run of the system has, by what it is. */
export type Needles = Readonly<Record<string, string>>;

/** What was searched, by a name that a person can go and look at. */
export type Haystack = ReadonlyMap<string, string>;

/** Where which secrets stand: `log api: JWT secret`. Also as base64, in addresses, and as JSON has them. */
export function findSecrets(haystack: Haystack, needles: Needles): string[] {
  const spelled = Object.entries(needles).map(([what, secret]) => ({ what, spellings: spellingsOf(secret) }));
  return [...haystack].flatMap(([place, text]) =>
    spelled.flatMap(({ what, spellings }) =>
      spellings.some((spelling) => text.includes(spelling)) ? [`${place}: ${what}`] : [],
    ),
  );
}

const spellingsOf = (secret: string): readonly string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('hex'),
];
