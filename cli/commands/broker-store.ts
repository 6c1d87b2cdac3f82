import { existsSync } from 'node:fs';
import { fetchCopy, provenCopies } from '../../backups/mqtt/fetch-copy';
import { readManifest } from '../../backups/mqtt/manifest';
import { openBackupVault, VAULT_SETTINGS, type BackupVault } from '../../backups/vault';
import { loadSomeSettings } from '../../config/load';
import type { Command } from '../context';
import { CommandFailure } from '../failure';
import { readOptions, required } from '../options';

const USAGE = 'derms broker-store --broker NAME (--latest | --id KEY) --into FILE   (or --list)';

/**
 * A proven copy of a broker's store from storage into a file, checked. Needs the storage and the keys and nothing else:
 * for the night when everything is down.
 */
export const brokerStore: Command = async (argv, { print, environment }) => {
  const { values } = readOptions(USAGE, argv, {
    broker: { type: 'string', default: 'local' },
    list: { type: 'boolean' },
    latest: { type: 'boolean' },
    id: { type: 'string' },
    into: { type: 'string' },
  });
  const vault = await openBackupVault(loadSomeSettings(VAULT_SETTINGS, environment));
  if (vault === null) throw new CommandFailure('BACKUP_STORAGE and BACKUP_ENCRYPTION_KEYS have to be set.');
  if (values.list) {
    for (const key of await provenCopies(vault, values.broker)) print(key);
    return 0;
  }
  const file = required(values.into, 'into', USAGE);
  if (existsSync(file)) throw new CommandFailure(`${file} is there already; it is not overwritten.`);
  const key = values.id ?? (values.latest ? await newest(vault, values.broker) : undefined);
  const { copy, provenAt } = await readManifest(vault.storage, vault.keyRing, required(key, 'latest or --id', USAGE));
  await fetchCopy(vault, copy, file, new AbortController().signal);
  const { retained, sessions, queued } = copy.counts;
  print(`${file}: ${copy.key}, ${copy.bytes} bytes, sha256 ${copy.sha256}
saved by broker ${copy.broker} at ${new Date(copy.savedAtMs).toISOString()}, proven at ${provenAt}
${retained} retained messages, ${sessions} sessions, ${queued} messages in queues
Now follow docs/runbooks/mqtt-backup.md, "Bring a store back by hand": stop the broker before you place the file.`);
  return 0;
};

async function newest(vault: BackupVault, broker: string): Promise<string> {
  const key = (await provenCopies(vault, broker)).at(-1);
  if (key === undefined)
    throw new CommandFailure(`There is no proven copy of broker ${broker} in ${vault.storage.description}.`);
  return key;
}
