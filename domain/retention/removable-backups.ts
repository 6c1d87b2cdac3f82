/** A stored backup as retention sees it. */
export interface RetainableBackup {
  readonly backupId: string;
  readonly takenAtMs: number;
  /** The check that proves it, when its last one passed; null while it is not proven. */
  readonly proofCheckId: number | null;
  /** Its last check failed: it is no way back. */
  readonly isDamaged: boolean;
}

export interface RetentionRule {
  /** Younger ones stay, ms; 0 where only numbers count. */
  readonly keepMs: number;
  /** Of so many of the last days (UTC) that have a proven one, the newest of each stays. */
  readonly leastDaily: number;
  /** The same of weeks (from Monday, UTC). */
  readonly leastWeekly: number;
  /** So many of the newest proven ones stay, whenever they were taken. */
  readonly leastNewest: number;
}

/** The newest backup where it is proven, and the check that proves it: because it is there, others may go. */
export interface ProvenNewest {
  readonly takenAtMs: number;
  readonly because: { readonly backupId: string; readonly checkId: number };
}

export interface LetGo {
  readonly backupId: string;
  readonly because: ProvenNewest['because'];
}

/** How things stand when something is to be let go. */
export interface RetentionMoment {
  readonly nowMs: number;
  /** A run that should have made a newer one has failed. */
  readonly newestAttemptFailed: boolean;
}

const DAY_MS = 86_400_000;
/** 1970-01-01 was a Thursday. */
const weekOf = (ms: number): number => Math.floor((ms / DAY_MS + 3) / 7);
const dayOf = (ms: number): number => Math.floor(ms / DAY_MS);

/**
 * Which backups of one kind may go, oldest first. Only proven ones count, and none goes while the newest one is not
 * proven or a newer attempt has failed: then something is wrong, and an old one may be the one that is needed. What was
 * never looked at goes only once the least numbers are there without it.
 */
export function removableBackups(
  backups: readonly RetainableBackup[],
  rule: RetentionRule,
  moment: RetentionMoment,
): LetGo[] {
  const newestFirst = [...backups].sort((a, b) => b.takenAtMs - a.takenAtMs);
  const [newest] = newestFirst;
  const letsGo = provenNewest(backups, moment);
  if (newest === undefined || letsGo === null) return [];
  const proven = newestFirst.filter(({ proofCheckId }) => proofCheckId !== null);
  const daily = newestOfEach(proven, dayOf, rule.leastDaily);
  const weekly = newestOfEach(proven, weekOf, rule.leastWeekly);
  const kept = new Set([...daily, ...weekly, ...proven.slice(0, rule.leastNewest), newest]);
  const isFull =
    daily.length >= rule.leastDaily && weekly.length >= rule.leastWeekly && proven.length >= rule.leastNewest;
  return newestFirst
    .filter((backup) => !kept.has(backup) && backup.takenAtMs < moment.nowMs - rule.keepMs)
    .filter(({ proofCheckId, isDamaged }) => proofCheckId !== null || isDamaged || isFull)
    .reverse()
    .map(({ backupId }) => ({ backupId, because: letsGo.because }));
}

/** null: nothing may be let go, because the newest backup is not proven or a newer attempt has failed. */
export function provenNewest(
  backups: readonly RetainableBackup[],
  { newestAttemptFailed }: RetentionMoment,
): ProvenNewest | null {
  const newest = backups.reduce<RetainableBackup | null>(
    (best, backup) => (best === null || backup.takenAtMs > best.takenAtMs ? backup : best),
    null,
  );
  if (newest === null || newestAttemptFailed || newest.proofCheckId === null) return null;
  const { backupId, takenAtMs, proofCheckId: checkId } = newest;
  return { takenAtMs, because: { backupId, checkId } };
}

function newestOfEach(
  newestFirst: readonly RetainableBackup[],
  periodOf: (ms: number) => number,
  most: number,
): RetainableBackup[] {
  const byPeriod = new Map<number, RetainableBackup>();
  for (const backup of newestFirst) {
    const period = periodOf(backup.takenAtMs);
    if (!byPeriod.has(period)) byPeriod.set(period, backup);
  }
  return [...byPeriod.values()].slice(0, most);
}
