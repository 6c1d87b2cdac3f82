import { Gauge, type Registry } from '../../observability/metrics';
import type { Authentication } from '../auth/authentication';
import type { TokenRegister } from '../auth/token-register';

const DAY_SECONDS = 86_400;

/** Of log-in and tokens; they name nobody, since everybody reads them. */
export function registerAuthMetrics(
  registry: Registry,
  {
    authentication,
    tokenRegister,
  }: {
    readonly authentication: Pick<Authentication, 'passwords'>;
    readonly tokenRegister: Pick<TokenRegister, 'ageSeconds'>;
  },
): void {
  const registers = [registry];
  new Gauge({
    name: 'derms_auth_password_oldest_age_seconds',
    help: 'Age of the oldest password of AUTH_USERS, to the day; NaN when no entry is dated.',
    registers,
    collect() {
      const { oldestDays } = authentication.passwords();
      this.set(oldestDays === null ? NaN : oldestDays * DAY_SECONDS);
    },
  });
  new Gauge({
    name: 'derms_auth_passwords_overdue',
    help: 'Users whose password is older than 90 days.',
    registers,
    collect() {
      this.set(authentication.passwords().overdue.length);
    },
  });
  new Gauge({
    name: 'derms_auth_token_list_age_seconds',
    help: 'Since revocations and machine tokens were read last; NaN while they never were.',
    registers,
    collect() {
      this.set(tokenRegister.ageSeconds() ?? NaN);
    },
  });
}
