/** What a check found: an invariant, whether it held, and what shows it. */
export interface Finding {
  readonly invariant: string;
  readonly holds: boolean;
  /** How much was looked at, and the first cases against it. */
  readonly detail: string;
}

const MOST_NAMED = 5;

/** Holds when nothing speaks against it. `of` says how much was looked at; nothing looked at is no proof. */
export const finding = (
  invariant: string,
  against: readonly string[],
  of: { readonly looked: number; readonly at: string },
): Finding => ({
  invariant,
  holds: against.length === 0 && of.looked > 0,
  detail: [`${String(of.looked)} ${of.at}`, ...(against.length === 0 ? [] : [named(against)])].join('; '),
});

const named = (against: readonly string[]): string => {
  const more = against.length - MOST_NAMED;
  return `${String(against.length)} against it: ${against.slice(0, MOST_NAMED).join(', ')}${more > 0 ? `, and ${String(more)} more` : ''}`;
};
