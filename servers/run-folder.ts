import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { removeDataFolder } from './postgres-data';
import { beginRunRecord, endLeftovers, ownerOfRun, type RunRecord } from './run-record';

const RECORD = 'run.json';
const MAKING_ONE_TAKES_MS = 60_000;

/** A folder that is thrown away with all that runs in it. */
export interface RunFolder {
  readonly path: string;
  /** What is entered here is ended by a later run, should this process be killed. */
  readonly record: RunRecord;
  /** Deletes it; what ran in it must have been stopped. `clusters` are folders below it that hold a PostgreSQL. */
  readonly remove: (clusters?: readonly string[]) => void;
}

/** Makes one below `parent`, whose name begins with `prefix`; other users may enter it, to get to data of their own. */
export function makeRunFolder(parent: string, prefix: string): RunFolder {
  const path = mkdtempSync(join(parent, prefix));
  chmodSync(path, 0o711); // as root, Postgres runs as another user
  const record = beginRunRecord(join(path, RECORD));
  return {
    path,
    record,
    remove: (clusters = []) => {
      removeFolder(path, clusters);
    },
  };
}

/**
 * Ends and removes what runs left whose process is gone (killed, or its machine went down); those that go on are left
 * alone. Returns how many there were.
 */
export async function sweepRunFolders(parent: string, prefix: string, clusters: readonly string[]): Promise<number> {
  let swept = 0;
  for (const name of foldersOf(parent, prefix)) {
    const folder = join(parent, name);
    const record = join(folder, RECORD);
    try {
      const beingMade = !existsSync(record) && Date.now() - statSync(folder).mtimeMs < MAKING_ONE_TAKES_MS;
      if (beingMade || ownerOfRun(record) !== undefined) continue;
      await endLeftovers(record);
      removeFolder(folder, clusters);
      swept += 1;
    } catch {
      // Another OS user's, or just removed by its owner.
    }
  }
  return swept;
}

const foldersOf = (parent: string, prefix: string): string[] =>
  existsSync(parent) ? readdirSync(parent).filter((entry) => entry.startsWith(prefix)) : [];

function removeFolder(folder: string, clusters: readonly string[]): void {
  for (const cluster of clusters) removeDataFolder(join(folder, cluster));
  rmSync(folder, { recursive: true, force: true });
}
