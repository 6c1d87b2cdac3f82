import { escapeIdentifier, escapeLiteral, type Client } from 'pg';

/**
 * Marks the database with the kind of its deployment, where everybody who can connect to the server sees it: a restore
 * drill refuses a server that holds a production system. Safe to repeat; false when we do not own the database.
 */
export async function markDeployment(client: Client, database: string, deployment: string): Promise<boolean> {
  const { rowCount } = await client.query(
    "select 1 from pg_database where datname = $1 and pg_has_role(current_user, datdba, 'member')",
    [database],
  );
  if (rowCount === 0) return false;
  await client.query(
    `alter database ${escapeIdentifier(database)} set derms.deployment = ${escapeLiteral(deployment)}`,
  );
  return true;
}
