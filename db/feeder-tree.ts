import { DermsError } from '../domain/errors';
import type { Queryable } from './pool';

/**
 * The tree of feeders is changed by one transaction at a time. `root_id` of every node follows from `parent_id` and is
 * kept only so that a tree is found without a walk.
 */
export async function lockRegistry(tx: Queryable): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtext('registry'))`);
}

/**
 * Waits for whoever decides about these trees (acceptance of dispatches locks the root too). `no key update` excludes
 * every other decision but not the ingest, whose new devices only refer to the row.
 */
export async function lockRoots(tx: Queryable, rootFeederIds: readonly string[]): Promise<void> {
  await tx.query('select 1 from feeders where feeder_id = any($1) order by feeder_id for no key update', [
    rootFeederIds,
  ]);
}

/**
 * Hangs a feeder, with all that is below it, under another one, or makes it a root (`parentId` null); locks both roots.
 * Needs `lockRegistry` first.
 *
 * @throws {DermsError} FEEDER_TREE_INVALID when the parent is unknown or lies below the feeder.
 */
export async function moveFeeder(tx: Queryable, feederId: string, parentId: string | null): Promise<void> {
  const rootId = parentId === null ? feederId : await rootOf(tx, parentId);
  await lockRoots(tx, [rootId, await rootOf(tx, feederId)]);
  const subtree = await subtreeOf(tx, feederId);
  if (parentId !== null && subtree.includes(parentId)) {
    throw invalid(`${parentId} is ${feederId} itself or lies below it: a feeder cannot hang on itself`);
  }
  await tx.query(
    `update feeders set root_id = $2, updated_at = now(), parent_id = case when feeder_id = $3 then $4 else parent_id end
      where feeder_id = any($1)`,
    [subtree, rootId, feederId, parentId],
  );
}

async function rootOf(tx: Queryable, feederId: string): Promise<string> {
  const { rows } = await tx.query<{ root_id: string }>('select root_id from feeders where feeder_id = $1', [feederId]);
  if (rows[0] === undefined) throw invalid(`there is no feeder ${feederId} to hang it on`);
  return rows[0].root_id;
}

async function subtreeOf(tx: Queryable, feederId: string): Promise<string[]> {
  const { rows } = await tx.query<{ feeder_id: string }>(
    `with recursive subtree as (
       select feeder_id from feeders where feeder_id = $1
       union select f.feeder_id from feeders f join subtree s on f.parent_id = s.feeder_id
     ) select feeder_id from subtree`,
    [feederId],
  );
  return rows.map(({ feeder_id: id }) => id);
}

const invalid = (message: string): DermsError =>
  new DermsError('FEEDER_TREE_INVALID', `The tree would not hold: ${message}.`, {
    faults: [{ pointer: '/parentId', message }],
  });
