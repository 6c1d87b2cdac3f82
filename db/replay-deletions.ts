import type { Client } from 'pg';
import type { Deletion } from '../domain/deletion';

export interface DeletionsReplayed {
  /** What the backup had brought back, and is gone again. */
  readonly replayed: readonly Deletion[];
  /** Feeders that could not go, since something else is on them in the backup. */
  readonly left: readonly { readonly feederId: string; readonly why: string }[];
}

/**
 * Takes away again what was taken away after the backup. What has the same id and was made after its deletion stays. In
 * the caller's transaction; may be repeated.
 */
export async function replayDeletions(client: Client, deletions: readonly Deletion[]): Promise<DeletionsReplayed> {
  const replayed: Deletion[] = [];
  for (const kind of ['machine-token', 'device'] as const) {
    const these = deletions.filter((deletion) => deletion.kind === kind);
    replayed.push(...(await run(client, STATEMENTS[kind], these)));
  }
  // Those at the bottom of a tree first: whoever still has something below is tried again.
  let waiting = deletions.filter(({ kind }) => kind === 'feeder');
  let left: DeletionsReplayed['left'] = [];
  for (let before = -1; waiting.length !== before;) {
    before = waiting.length;
    const failed = new Map<Deletion, string>();
    for (const feeder of waiting) {
      const why = await attempt(client, async () => {
        replayed.push(...(await run(client, STATEMENTS.feeder, [feeder])));
      });
      if (why !== null) failed.set(feeder, why);
    }
    waiting = [...failed.keys()];
    left = [...failed].map(([{ subject }, why]) => ({ feederId: subject, why }));
  }
  return { replayed, left };
}

const GONE = 'unnest($1::text[], $2::timestamptz[]) as gone(id, at)';
/** Each returns the ids of what it took. */
const STATEMENTS = {
  'machine-token': `update machine_tokens t
      set revoked_at = gone.at, revoked_by = 'restore', revoke_reason = 'it had been revoked after the backup'
     from ${GONE} where t.token_id = gone.id::uuid and t.issued_at <= gone.at and t.revoked_at is null
    returning t.token_id::text as id`,
  device: `delete from devices d using ${GONE} where d.device_id = gone.id and d.created_at <= gone.at
    returning d.device_id as id`,
  feeder: `delete from feeders f using ${GONE} where f.feeder_id = gone.id and f.created_at <= gone.at
    returning f.feeder_id as id`,
} as const;

async function run(client: Client, statement: string, deletions: readonly Deletion[]): Promise<Deletion[]> {
  const { rows } = await client.query<{ id: string }>(statement, [
    deletions.map(({ subject }) => subject),
    deletions.map(({ deletedAt }) => deletedAt),
  ]);
  const taken = new Set(rows.map(({ id }) => id));
  return deletions.filter(({ subject }) => taken.delete(subject));
}

/** null, or why the server refused; then nothing of it was done. */
async function attempt(client: Client, work: () => Promise<void>): Promise<string | null> {
  await client.query('savepoint deletion');
  try {
    await client.query('set constraints all immediate');
    await work();
    return null;
  } catch (error) {
    await client.query('rollback to savepoint deletion');
    return error instanceof Error ? error.message : String(error);
  }
}
