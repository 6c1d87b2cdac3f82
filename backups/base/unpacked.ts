import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DermsError } from '../../domain/errors';
import { placeOf, parseLsn } from '../../domain/wal-names';
import { lsnSchema, type BaseManifest } from '../manifest-schema';
import { readSystemId } from '../wal/archive-key';

/** What an unpacked base backup says of itself. */
export type UnpackedFacts = Pick<BaseManifest, 'startLsn' | 'stopLsn' | 'startWalFile'> & {
  readonly timeline: number;
  readonly systemIdentifier: string;
};

/** As pg_basebackup writes it; more than one range when a standby was promoted meanwhile. */
const rangesSchema = z.object({
  'WAL-Ranges': z
    .array(z.object({ Timeline: z.number().int(), 'Start-LSN': lsnSchema, 'End-LSN': lsnSchema }))
    .nonempty(),
});

/** @throws {DermsError} `BACKUP_UNREADABLE` when it says nothing, or not the same in two places. */
export function readUnpacked(folder: string, segmentBytes: number): UnpackedFacts {
  const ranges = rangesSchema.safeParse(JSON.parse(contentOf(folder, 'backup_manifest'))).data?.['WAL-Ranges'];
  const [first, last] = [ranges?.[0], ranges?.at(-1)];
  if (first === undefined || last === undefined) throw unreadable('its backup_manifest names no stretch of the log');
  const startLsn = first['Start-LSN'];
  const startWalFile = fileAt(first.Timeline, startLsn, segmentBytes);
  const label = /^START WAL LOCATION: (\S+) \(file (\S+)\)$/m.exec(contentOf(folder, 'backup_label'));
  if (label?.[1] !== startLsn || label[2] !== startWalFile)
    throw unreadable(`its backup_label does not begin at ${startLsn} in ${startWalFile}, as its backup_manifest does`);
  return {
    startLsn,
    stopLsn: last['End-LSN'],
    startWalFile,
    timeline: first.Timeline,
    systemIdentifier: readSystemId(folder),
  };
}

const fileAt = (timeline: number, lsn: string, segmentBytes: number): string =>
  timeline.toString(16).toUpperCase().padStart(8, '0') + placeOf(parseLsn(lsn), segmentBytes);

function contentOf(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8');
  } catch (cause) {
    throw unreadable(`it has no ${name}`, { cause });
  }
}

const unreadable = (why: string, options?: ErrorOptions): DermsError =>
  new DermsError('BACKUP_UNREADABLE', `the base backup cannot be used: ${why}`, options);
