import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseWalName } from '../../domain/wal-names';

/** All of a cluster's log; another cluster, even at the same place, has another identifier and never meets it. */
export const walPrefix = (systemId: string): string => `wal/${systemId}/`;

const SUFFIX = '.gz';

/** @throws {Error} for what is no name of the log. */
export function walKey(systemId: string, name: string): string {
  if (parseWalName(name) === null) throw new Error(`${name} is no file of the write-ahead log`);
  return `${walPrefix(systemId)}${name}${SUFFIX}`;
}

/** The name in a key that `walKey` made. */
export const walNameOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1, -SUFFIX.length);

/** The first eight bytes of `global/pg_control`, as `pg_control_system()` writes them. */
export function readSystemId(dataDir: string): string {
  return readFileSync(join(dataDir, 'global', 'pg_control'))
    .readBigUInt64LE(0)
    .toString();
}
