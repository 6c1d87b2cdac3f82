import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import type { Settings } from '../../config/schema';
import { STORAGE_SETTINGS } from '../../storage/location';
import { findBasePrograms } from '../base/programs';
import type { BaseManifest } from '../manifest-schema';
import type { BackupPrograms } from '../postgres/programs';
import type { PostgresAccess } from '../postgres/server';
import type { BackupVault } from '../vault';
import { chooseBase } from './choose-base';
import { findBaseBackups } from './find-backups';
import { progressLine } from './progress-line';
import { recoverToTime } from './recover-to-time';

export interface ToTimeOptions {
  readonly toTime: string;
  readonly intoDirectory: string;
  /** Id or key of the base backup to begin with; default the newest that is old enough. */
  readonly base: string | undefined;
  readonly timeline: string | undefined;
  readonly signal: AbortSignal;
}

export interface ToTimePorts extends BackupVault {
  readonly programs: BackupPrograms;
  /** What the restore_command needs: the settings as this process has read them. */
  readonly settings: Pick<Settings, (typeof STORAGE_SETTINGS)[number] | 'BACKUP_ENCRYPTION_KEYS'>;
  readonly prepare: (access: PostgresAccess, base: BaseManifest, target: Date) => Promise<void>;
  readonly say: (text: string) => void;
}

/** `npm run restore -- --to-time …`: a cluster of its own that shows the moment, shut down, for a person to start. */
export async function toTimeCommand(ports: ToTimePorts, options: ToTimeOptions): Promise<void> {
  const { say } = ports;
  const target = parseTime(options.toTime);
  const timeline = parseTimeline(options.timeline);
  const directory = isAbsolute(options.intoDirectory) ? options.intoDirectory : resolve(options.intoDirectory);
  const { found, unreadable } = await findBaseBackups(ports);
  for (const { key, why } of unreadable) say(`  ! ${key}: ${why}`);
  const base = chooseBase(found, target, options.base);
  const programs = await findBasePrograms(ports.programs, Number.parseInt(base.server.version, 10));
  say(`Recovering to ${target.toISOString()} in ${directory}`);
  say(`  from ${base.object.key}, of ${base.takenAt}, ${(base.object.bytes / 1e6).toFixed(1)} MB stored`);
  const line = progressLine(process.stderr, base.object.bytes);
  let files = 0;
  let last = '';
  const recovered = await recoverToTime(
    { ...ports, programs, restoreCommand: restoreCommand(), restoreEnvironment: environmentOf(ports.settings) },
    {
      ...{ base, target, timeline, directory, signal: options.signal, onProgress: line.bytes },
      onStep: (name) => {
        line.step(name);
      },
      onFile: (name) => {
        if (name === last) return;
        last = name;
        files += 1;
        if (files % TELL_EACH === 1) line.step(`log up to ${name}`);
      },
    },
  ).finally(line.end);
  say(`Recovered. It stopped before ${recovered.stoppedBefore}.`);
  if (recovered.lastCommitAt !== null) say(`The last transaction in it is of ${recovered.lastCommitAt}.`);
  say(`${directory} is a cluster that is shut down, QUARANTINED, with archive_mode = off in postgresql.auto.conf.`);
  say('Look at its postgresql.conf and pg_hba.conf, then start it. Next: docs/runbooks/base-backup.md, "Recover".');
}

/** Files of the log between two lines of progress. */
const TELL_EACH = 20;

/** @throws {Error} for what names no moment, or one without its zone: an hour more or less is the wrong database. */
function parseTime(text: string): Date {
  const isExact = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const at = new Date(text.replace(' ', 'T'));
  if (!isExact || Number.isNaN(at.getTime()))
    throw new Error(`--to-time ${text}: write it with its zone, as 2026-11-25T18:30:00Z`);
  return at;
}

function parseTimeline(text: string | undefined): number | 'latest' {
  if (text === undefined || text === 'latest') return 'latest';
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new Error(`--timeline ${text}: is neither latest nor a number`);
}

/** As `archive_command` has it; run by the server in its data folder, so it finds no `.env` there. */
function restoreCommand(): string {
  const script = join(__dirname, '..', 'wal', 'main.js');
  if (!existsSync(script)) throw new Error(`${script} is not there: run npm run build`);
  const quoted = [process.execPath, script].map((part) => `"${part.replaceAll('%', '%%')}"`);
  return `${quoted.join(' ')} restore %f %p`;
}

function environmentOf(settings: ToTimePorts['settings']): NodeJS.ProcessEnv {
  const given = [...STORAGE_SETTINGS, 'BACKUP_ENCRYPTION_KEYS' as const].flatMap((name) => {
    const value = settings[name];
    return value === undefined ? [] : [[name, String(value)] as const];
  });
  return Object.fromEntries(given);
}
