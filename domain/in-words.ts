/** Kilowatts for a sentence: at most three decimals. */
export const kwText = (kw: number): string => `${String(Math.round(kw * 1000) / 1000)} kW`;

/** Order of ids: by code unit, the same on every machine and in every locale. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
