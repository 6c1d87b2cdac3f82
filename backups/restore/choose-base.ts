import type { BaseManifest } from '../manifest-schema';
import { RestoreFailure } from './failure';
import type { FoundBackup } from './find-backups';

/**
 * The base backup that leads to a moment: the newest that was complete by then and that a holder of the keys has made, or
 * the one of this id or key.
 *
 * @throws {RestoreFailure} NO_BACKUP, BACKUP_ALTERED
 */
export function chooseBase(
  newestFirst: readonly FoundBackup<BaseManifest>[],
  target: Date,
  wanted?: string,
): BaseManifest {
  const isInTime = ({ manifest }: FoundBackup<BaseManifest>): boolean => Date.parse(manifest.takenAt) <= +target;
  const chosen =
    wanted === undefined
      ? newestFirst.find((each) => each.signature === 'valid' && each.isWhole && isInTime(each))
      : newestFirst.find(({ manifest }) => [manifest.backupId, manifest.object.key].includes(wanted));
  if (chosen === undefined) throw new RestoreFailure('NO_BACKUP', whyNone(newestFirst, target, wanted));
  const { manifest, signature } = chosen;
  if (signature !== 'valid')
    throw new RestoreFailure('BACKUP_ALTERED', `the signature of ${manifest.object.key} is ${signature}`);
  if (!chosen.isWhole)
    throw new RestoreFailure('BACKUP_ALTERED', `${manifest.object.key} is not there, or not all of it`);
  if (isInTime(chosen)) return manifest;
  throw new RestoreFailure(
    'NO_BACKUP',
    `${manifest.object.key} is of ${manifest.takenAt}: it leads to no moment before`,
  );
}

function whyNone(newestFirst: readonly FoundBackup<BaseManifest>[], target: Date, wanted?: string): string {
  if (wanted !== undefined) return `there is no base backup ${wanted} in storage`;
  const oldest = newestFirst.filter(({ signature }) => signature === 'valid').at(-1);
  if (oldest !== undefined)
    return `no base backup is of ${target.toISOString()} or before: the oldest is of ${oldest.manifest.takenAt}`;
  return newestFirst.length === 0
    ? 'there is no base backup in storage'
    : `none of the ${String(newestFirst.length)} base backups in storage was signed with a key of this ring`;
}
