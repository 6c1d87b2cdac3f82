import { existsSync } from 'node:fs';
import { readSignedManifest } from '../../backups/manifest';
import type { MqttManifest } from '../../backups/manifest-schema';
import { fetchCopy, provenCopies } from '../../backups/mqtt/fetch-copy';
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
  const { object, store, counts, broker, takenAt, provenAt } = await copyAt(
    vault,
    required(key, 'latest or --id', USAGE),
  );
  await fetchCopy(vault, { key: object.key, ...store }, file, new AbortController().signal);
  const { retained, sessions, queued } = counts;
  print(`${file}: ${object.key}, ${store.bytes} bytes, sha256 ${store.sha256}
saved by broker ${broker} at ${takenAt}, proven at ${provenAt}
${retained} retained messages, ${sessions} sessions, ${queued} messages in queues
Now follow docs/runbooks/mqtt-backup.md, "Bring a store back by hand": stop the broker before you place the file.`);
  return 0;
};

async function copyAt(vault: BackupVault, key: string): Promise<MqttManifest> {
  const manifest = await readSignedManifest(vault, key);
  if (manifest.kind === 'mqtt') return manifest;
  throw new CommandFailure(`${key} is a ${manifest.kind}, not a copy of a broker's store.`);
}

async function newest(vault: BackupVault, broker: string): Promise<string> {
  const key = (await provenCopies(vault, broker)).at(-1);
  if (key === undefined)
    throw new CommandFailure(`There is no proven copy of broker ${broker} in ${vault.storage.description}.`);
  return key;
}
