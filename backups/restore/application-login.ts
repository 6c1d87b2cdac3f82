import { randomBytes } from 'node:crypto';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { PostgresAccess } from '../postgres/server';
import { withClient } from './admin-client';
import type { DrillTarget } from './drill-target';
import { RestoreFailure } from './failure';
import type { DrillReport } from './drill-report';

/**
 * Lets the application's role log in to the restored database. A role that the drill has made gets a password for the
 * drill; on a server where it was before, its password is somebody else's: there a login of the drill's own acts as it.
 *
 * @throws {RestoreFailure} RESTORED_APP_FAILED when it cannot, or may not read.
 */
export async function logInAsApplication(
  { access, kind, roleMark }: DrillTarget,
  { role, made, runId }: { readonly role: string; readonly made: readonly string[]; readonly runId: string },
): Promise<{ readonly access: PostgresAccess; readonly as: NonNullable<DrillReport['loggedInAs']> }> {
  const password = randomBytes(24).toString('base64url');
  const itself = kind === 'scratch' || made.includes(role);
  const login = itself ? role : `derms_drill_${runId.slice(-12)}`;
  await withClient(access, 'derms-restore-drill', async (client) => {
    const name = escapeIdentifier(login);
    if (!itself) {
      await client.query(`create role ${name} in role ${escapeIdentifier(role)}`);
      await client.query(`comment on role ${name} is ${escapeLiteral(`${roleMark}${runId}`)}`);
      await client.query(`alter role ${name} set role to ${escapeLiteral(role)}`);
    }
    await client.query(`alter role ${name} login password ${escapeLiteral(password)}`);
  });
  const application = { ...access, user: login, password };
  try {
    await withClient(application, 'derms-restore-drill', (client) => client.query('select count(*) from feeders'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RestoreFailure('RESTORED_APP_FAILED', `${role} cannot work on what was restored: ${why}`, { cause });
  }
  return { access: application, as: itself ? 'the role itself' : 'a member of the role' };
}
