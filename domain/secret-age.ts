/** A secret older than this is to be changed, days. */
export const SECRET_MAX_AGE_DAYS = 90;
/** From here on it is asked for: two weeks are left, days. */
export const SECRET_DUE_DAYS = SECRET_MAX_AGE_DAYS - 14;
/** A certificate with fewer days left is to be renewed. */
export const CERTIFICATE_SOON_DAYS = 21;

/** What every deployment has, so that it is missed when no process tells of it. */
export const EXPECTED_SECRETS: readonly string[] = ['AUTH_USERS', 'DB_PASSWORD', 'JWT_SECRET'];

const DAY_MS = 86_400_000;

/** What one process knows of one secret or certificate; never the thing itself. */
export interface SecretFact {
  readonly kind: 'secret' | 'certificate';
  /** The setting (`DB_PASSWORD`), or what the certificate is for (`mqtt-client`). */
  readonly name: string;
  /** Of a secret: the day it was made, UTC, `2026-10-01`; null: not written down. Of `AUTH_USERS` the oldest password's. */
  readonly madeOn: string | null;
  /** Of a certificate: when the first one of its file runs out; null: the file cannot be used. */
  readonly expiresAtMs: number | null;
  /** Why the date is not known, where there is a reason. */
  readonly fault: string | null;
}

export interface ToldSecretFact extends SecretFact {
  /** `api-0` */
  readonly toldBy: string;
}

export interface SecretAge {
  readonly name: string;
  /** Whole days; null: nobody knows. */
  readonly ageDays: number | null;
  /** `untold`: every deployment has it, and no process has said anything of it. */
  readonly state: 'ok' | 'due' | 'overdue' | 'undated' | 'untold';
  readonly fault: string | null;
}

export interface CertificateAge {
  readonly name: string;
  readonly toldBy: string;
  /** Negative: it has run out. null: the file cannot be used. */
  readonly daysLeft: number | null;
  readonly state: 'ok' | 'soon' | 'expired' | 'unusable';
  readonly fault: string | null;
}

export interface SecretAges {
  readonly secrets: readonly SecretAge[];
  readonly certificates: readonly CertificateAge[];
}

/** How old everything is that processes told of, by name; two of them that know different dates mean the older one. */
export function secretAges(facts: readonly ToldSecretFact[], nowMs: number): SecretAges {
  const told = facts.filter(({ kind }) => kind === 'secret');
  const names = new Set([...EXPECTED_SECRETS, ...told.map(({ name }) => name)]);
  return {
    secrets: [...names].sort().map((name) =>
      ageOf(
        name,
        told.filter((fact) => fact.name === name),
        nowMs,
      ),
    ),
    certificates: facts
      .filter(({ kind }) => kind === 'certificate')
      .map((fact) => timeLeft(fact, nowMs))
      .sort((a, b) => `${a.name} ${a.toldBy}`.localeCompare(`${b.name} ${b.toldBy}`)),
  };
}

function ageOf(name: string, told: readonly ToldSecretFact[], nowMs: number): SecretAge {
  const [oldest] = told.flatMap(({ madeOn }) => (madeOn === null ? [] : [madeOn])).sort();
  const fault = told.find((fact) => fact.fault !== null)?.fault ?? null;
  if (oldest === undefined) return { name, ageDays: null, state: told.length === 0 ? 'untold' : 'undated', fault };
  const ageDays = daysSince(oldest, nowMs);
  const state = ageDays > SECRET_MAX_AGE_DAYS ? 'overdue' : ageDays >= SECRET_DUE_DAYS ? 'due' : 'ok';
  return { name, ageDays, state, fault };
}

function timeLeft({ name, toldBy, expiresAtMs, fault }: ToldSecretFact, nowMs: number): CertificateAge {
  if (expiresAtMs === null) return { name, toldBy, daysLeft: null, state: 'unusable', fault };
  const daysLeft = (expiresAtMs - nowMs) / DAY_MS;
  const state = daysLeft < 0 ? 'expired' : daysLeft < CERTIFICATE_SOON_DAYS ? 'soon' : 'ok';
  return { name, toldBy, daysLeft: Math.floor(daysLeft), state, fault };
}

/** Whole days since the beginning of a day, UTC; negative while it has not come yet. */
export const daysSince = (day: string, nowMs: number): number => Math.floor((nowMs - Date.parse(day)) / DAY_MS);

/** What a person has to see to, a sentence each; nothing that is only due. */
export function secretProblems({ secrets, certificates }: SecretAges): readonly string[] {
  return [
    ...secrets
      .filter(({ state }) => state === 'overdue')
      .map(({ name, ageDays }) => `${name} is ${String(ageDays)} days old, more than ${String(SECRET_MAX_AGE_DAYS)}`),
    ...certificates.flatMap(({ name, toldBy, daysLeft, state, fault }) => {
      if (state === 'expired') return [`the certificate ${name} of ${toldBy} has run out`];
      if (state === 'unusable') return [`the certificate ${name} of ${toldBy} cannot be used: ${fault ?? 'unknown'}`];
      if (state === 'soon') return [`the certificate ${name} of ${toldBy} runs out in ${String(daysLeft)} days`];
      return [];
    }),
  ];
}
