import { CommandFailure } from './failure';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * `90s`, `30m`, `1h30m`, `2d` in ms.
 *
 * @throws {CommandFailure}
 */
export function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d{1,6})([smhd])/g)];
  const whole = parts.map(([part]) => part).join('') === text;
  const total = parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS],
    0,
  ); // matched as one of them
  if (!whole || total <= 0) throw new CommandFailure(`"${text}" is no duration; write 90s, 30m, 1h30m or 2d.`);
  return total;
}

/**
 * `now`, `17:00` (today or, when that is past, tomorrow, in this machine's zone), or a whole time with its zone.
 *
 * @throws {CommandFailure}
 */
export function moment(text: string, now: Date): Date {
  if (text === 'now') return now;
  const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? [];
  if (hours !== undefined && minutes !== undefined && Number(hours) < 24 && Number(minutes) < 60) {
    const today = new Date(now);
    today.setHours(Number(hours), Number(minutes), 0, 0);
    if (today <= now) today.setDate(today.getDate() + 1);
    return today;
  }
  const zoned = /^\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)$/.test(text);
  const parsed = new Date(text);
  if (!zoned || Number.isNaN(parsed.getTime())) {
    throw new CommandFailure(`"${text}" is no time; write now, 17:00, or 2026-05-01T17:00:00+02:00.`);
  }
  return parsed;
}

/** Seconds for eyes: `4 s`, `3 min`, `2 h`. */
export function ageText(seconds: number | null): string {
  if (seconds === null) return '-';
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  return seconds < 7_200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3_600).toFixed(0)} h`;
}
