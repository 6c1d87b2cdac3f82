/** One thing that a release has to be. */
export interface ReleaseCheck {
  readonly name: string;
  /** Says what was looked at; `faults` is empty when it is well. Throws when it could not look. */
  readonly look: () => Promise<Look> | Look;
}

export interface Look {
  readonly said: string;
  readonly faults: readonly string[];
  /** Somebody else did not answer: no pass, and told apart from a fault. */
  readonly notChecked?: boolean;
}

export interface Judged extends Look {
  readonly name: string;
  readonly verdict: 'ok' | 'FAULT' | 'NOT CHECKED';
  readonly seconds: number;
}

/** One after the other; a check that throws is a fault and stops no other. */
export async function judge(checks: readonly ReleaseCheck[], onJudged: (judged: Judged) => void): Promise<Judged[]> {
  const all: Judged[] = [];
  for (const { name, look } of checks) {
    const began = performance.now();
    const found = await tried(look);
    const verdict = found.notChecked === true ? 'NOT CHECKED' : found.faults.length === 0 ? 'ok' : 'FAULT';
    const judged: Judged = { ...found, name, verdict, seconds: (performance.now() - began) / 1000 };
    all.push(judged);
    onJudged(judged);
  }
  return all;
}

async function tried(look: ReleaseCheck['look']): Promise<Look> {
  try {
    return await look();
  } catch (error) {
    return { said: 'could not be looked at', faults: [error instanceof Error ? error.message : String(error)] };
  }
}

/**
 * 0: release it. 1: a fault. 3: something could not be checked, which is no pass either; with `orSaySo` it is only told.
 */
export function exitCodeOf(all: readonly Judged[], orSaySo: boolean): number {
  if (all.some(({ verdict }) => verdict === 'FAULT')) return 1;
  return !orSaySo && all.some(({ verdict }) => verdict === 'NOT CHECKED') ? 3 : 0;
}
