import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SECRET_SETTINGS, type SettingName, type Settings } from './schema';

/** Secrets that are to be changed from time to time, by their settings. */
const AGING = [
  'BACKUP_DB_PASSWORD',
  'BACKUP_S3_SECRET_ACCESS_KEY',
  'DB_PASSWORD',
  'JWT_SECRET',
  'MQTT_PASSWORD',
  'TEMPORAL_API_KEY',
] as const satisfies readonly SettingName[];

const datesSchema = z.record(z.string(), z.iso.date('is no date such as 2026-10-01'));

export interface SecretDate {
  readonly name: string;
  /** The day it was made, UTC; null: not written down. */
  readonly madeOn: string | null;
  /** Why not, where there is a reason. */
  readonly fault: string | null;
}

type DatedSettings = Partial<Pick<Settings, 'SECRETS_DATES_FILE' | (typeof AGING)[number]>>;

/**
 * When the secrets were made that this process has, or that its `SECRETS_DATES_FILE` names. Read anew each time, because the
 * file changes with every rotation; a file that cannot be used is no reason to stop, and told with each secret.
 */
export function secretDates(settings: DatedSettings, now: Date): readonly SecretDate[] {
  const held = AGING.filter((name) => settings[name] !== undefined);
  const path = settings.SECRETS_DATES_FILE;
  if (path === undefined) return held.map((name) => ({ name, madeOn: null, fault: 'SECRETS_DATES_FILE is not set' }));
  try {
    const dates = readDates(path, now);
    return [...new Set([...held, ...Object.keys(dates)])].map((name) => {
      const madeOn = dates[name] ?? null;
      return { name, madeOn, fault: madeOn === null ? 'SECRETS_DATES_FILE does not name it' : null };
    });
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return held.map((name) => ({ name, madeOn: null, fault }));
  }
}

/** @throws {Error} naming what is wrong with the file; never a value, since somebody may have put in the secrets themselves. */
function readDates(path: string, now: Date): Readonly<Record<string, string>> {
  const fault = (text: string): Error => new Error(`SECRETS_DATES_FILE: ${text}`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const { code } = cause as { code?: string }; // of readFileSync
    throw fault(code === undefined ? 'is not JSON' : `cannot be read (${code})`); // no cause: JSON.parse quotes
  }
  const result = datesSchema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw fault([issue?.path.join('.'), issue?.message].filter((part) => part !== '').join(' '));
  }
  const dates = result.data;
  const unknown = Object.keys(dates).find((name) => !(SECRET_SETTINGS as readonly string[]).includes(name));
  if (unknown !== undefined) throw fault(`${unknown} is no secret setting`);
  // A day more, since somebody is a day ahead of UTC.
  const tomorrow = new Date(now.getTime() + 86_400_000).toISOString().slice(0, 10);
  const early = Object.entries(dates).find(([, day]) => day > tomorrow);
  if (early !== undefined) throw fault(`${early[0]} was made on a day that has not come yet`);
  return dates;
}
