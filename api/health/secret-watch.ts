import { secretAges, secretProblems, type SecretAges, type ToldSecretFact } from '../../domain/secret-age';
import { Gauge, type Registry } from '../../observability/metrics';
import { keepSampling } from './sampling';

const EVERY_MS = 15_000;
const WITHIN_MS = 2_000;
const DAY_SECONDS = 86_400;
/** Health tells of old passwords of people by itself, from its own list. */
const TOLD_ELSEWHERE = 'AUTH_USERS';

/** How old the secrets of the whole deployment are, from what its processes told the database. */
export interface SecretWatch {
  ages(): SecretAges;
  /** Sentences for health. */
  problems(): readonly string[];
  stop(): void;
}

/** Looks four times a minute: neither health nor a scrape waits for the database. What cannot be read stays as it was. */
export function watchSecrets(
  read: () => Promise<readonly ToldSecretFact[]>,
  nowMs: () => number = Date.now,
): SecretWatch {
  let told: readonly ToldSecretFact[] = [];
  const { stop } = keepSampling({
    look: read,
    withinMs: WITHIN_MS,
    everyMs: EVERY_MS,
    onResult: (result) => {
      if (result.ok) told = result.value;
    },
  });
  const ages = (): SecretAges => secretAges(told, nowMs());
  return {
    ages,
    problems: () => {
      const { secrets, certificates } = ages();
      return secretProblems({ secrets: secrets.filter(({ name }) => name !== TOLD_ELSEWHERE), certificates });
    },
    stop,
  };
}

/** Of certificates each process tells by itself (`derms_certificate_days_left`). */
export function registerSecretMetrics(registry: Registry, watch: Pick<SecretWatch, 'ages'>): void {
  new Gauge({
    name: 'derms_secret_age_seconds',
    help: 'Age of a secret, to the day, by SECRETS_DATES_FILE (AUTH_USERS: its oldest password); NaN when nobody knows it.',
    labelNames: ['secret'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, ageDays } of watch.ages().secrets)
        this.set({ secret: name }, ageDays === null ? NaN : ageDays * DAY_SECONDS);
    },
  });
}
