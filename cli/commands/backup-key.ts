import { randomBytes } from 'node:crypto';
import { isKeyId, newKeyEntry } from '../../storage/encryption/key-ring';
import type { Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions } from '../options';

const USAGE = 'derms backup-key [--id ID]   (the new key goes before the others, which stay)';

/** Prints a new entry of the key ring. It is drawn here and stored nowhere: whoever loses it loses the backups. */
export const backupKey: Command = (argv, { print, now }) => {
  const { values } = readOptions(USAGE, argv, { id: { type: 'string' } });
  const id = values.id ?? `${now().toISOString().slice(0, 10)}-${randomBytes(2).toString('hex')}`;
  if (!isKeyId(id)) throw new CommandFailure('An id has 1 to 64 of A-Z a-z 0-9 . _ -');
  print(newKeyEntry(id));
  return Promise.resolve(0);
};
