import type { NodeSeen } from '../domain/primary-choice';
import type { Queryable } from './pool';

/**
 * What a node says of itself. A primary's timeline is the one that it writes; a standby's the one that it receives, or of
 * its last checkpoint: too low perhaps, never too high. Any role may ask.
 */
export async function readNodeState(
  node: Pick<Queryable, 'query'>,
): Promise<Pick<NodeSeen, 'timeline'> & { readonly state: Exclude<NodeSeen['state'], 'unreachable'> }> {
  const { rows } = await node.query<{ standby: boolean; read_only: boolean; timeline: number }>(
    `select pg_is_in_recovery() as standby,
            current_setting('default_transaction_read_only') = 'on' as read_only,
            greatest((pg_control_checkpoint()).timeline_id,
                     case when pg_is_in_recovery() then (select received_tli from pg_stat_wal_receiver limit 1)
                          else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer end) as timeline`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the node answers with no row');
  return { state: row.standby ? 'standby' : row.read_only ? 'fenced' : 'primary', timeline: row.timeline };
}
