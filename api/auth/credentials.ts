import { parseAuthUsers, usersWithSamplePasswords, type AuthUser } from '../../config/auth-users';
import type { Settings } from '../../config/schema';
import { secretFault } from '../../config/secret-strength';

export interface Credentials {
  readonly users: readonly AuthUser[];
  readonly secret: string;
  readonly previousSecret: string | null;
  /** Differs between environments, so that a token of one is refused by another that has the same secret by mistake. */
  readonly issuer: string;
  readonly ttlSeconds: number;
}

type CredentialSettings = Pick<
  Settings,
  'AUTH_USERS' | 'JWT_SECRET' | 'JWT_SECRET_PREVIOUS' | 'JWT_TTL_SECONDS' | 'NODE_ENV' | 'DEPLOYMENT'
>;

/**
 * What the API lets people in by. Outside of development nothing weak, undated or copied from an example is taken.
 *
 * @throws {Error} naming what is wrong; never a value.
 */
export async function readCredentials(settings: CredentialSettings, now: Date): Promise<Credentials> {
  const { AUTH_USERS, JWT_SECRET, JWT_SECRET_PREVIOUS = null, JWT_TTL_SECONDS, NODE_ENV, DEPLOYMENT } = settings;
  if (AUTH_USERS === undefined || JWT_SECRET === undefined)
    throw new Error('The API needs AUTH_USERS and JWT_SECRET. See docs/configuration.md.');
  if (NODE_ENV === 'production' && DEPLOYMENT === 'development')
    throw new Error(
      'DEPLOYMENT: with NODE_ENV=production say staging or production; tokens of one are refused by the other.',
    );
  const strict = NODE_ENV === 'production' || DEPLOYMENT !== 'development';
  refuseWeakSecret('JWT_SECRET', JWT_SECRET, strict);
  if (JWT_SECRET_PREVIOUS !== null) refuseWeakSecret('JWT_SECRET_PREVIOUS', JWT_SECRET_PREVIOUS, strict);
  if (JWT_SECRET_PREVIOUS === JWT_SECRET) throw new Error('JWT_SECRET_PREVIOUS: is the same as JWT_SECRET.');
  const users = parseAuthUsers(AUTH_USERS, { strict, now });
  const samples = strict ? await usersWithSamplePasswords(users) : [];
  if (samples.length > 0) throw new Error(`AUTH_USERS: sample passwords of ${samples.join(', ')}; set others.`);
  return {
    users,
    secret: JWT_SECRET,
    previousSecret: JWT_SECRET_PREVIOUS,
    issuer: `derms-${DEPLOYMENT}`,
    ttlSeconds: JWT_TTL_SECONDS,
  };
}

function refuseWeakSecret(name: string, secret: string, strict: boolean): void {
  const fault = secretFault(secret, { samplesAllowed: !strict });
  if (fault !== null) throw new Error(`${name}: the secret ${fault}.`);
}
