import { secretAges, secretProblems, type ToldSecretFact } from '../../../domain/secret-age';

const NOW = Date.parse('2026-05-01T12:00:00Z');
const DAY_MS = 86_400_000;

const secret = (name: string, madeOn: string | null, given: Partial<ToldSecretFact> = {}): ToldSecretFact => ({
  ...{ kind: 'secret', name, toldBy: 'jobs-0', madeOn, expiresAtMs: null, fault: null },
  ...given,
});
const certificate = (name: string, days: number | null, fault: string | null = null): ToldSecretFact => ({
  ...{ kind: 'certificate', name, toldBy: 'api-0', madeOn: null, fault },
  expiresAtMs: days === null ? null : NOW + days * DAY_MS,
});
const stateOf = (name: string, facts: readonly ToldSecretFact[]) =>
  secretAges(facts, NOW).secrets.find((found) => found.name === name);

describe('the age of a secret', () => {
  it.each`
    madeOn          | ageDays | state
    ${'2026-05-02'} | ${-1}   | ${'ok'}
    ${'2026-05-01'} | ${0}    | ${'ok'}
    ${'2026-02-15'} | ${75}   | ${'ok'}
    ${'2026-02-14'} | ${76}   | ${'due'}
    ${'2026-01-31'} | ${90}   | ${'due'}
    ${'2026-01-30'} | ${91}   | ${'overdue'}
  `('made on $madeOn is $ageDays days: $state', ({ madeOn, ageDays, state }: Record<string, string>) => {
    expect(stateOf('MQTT_PASSWORD', [secret('MQTT_PASSWORD', madeOn!)])).toMatchObject({ ageDays, state });
  });

  it('is the older one where two processes know different days, and the known one where one of them knows none', () => {
    const told = [
      secret('DB_PASSWORD', '2026-04-30'),
      secret('DB_PASSWORD', '2026-01-01'),
      secret('DB_PASSWORD', null),
    ];
    expect(stateOf('DB_PASSWORD', told)).toMatchObject({ ageDays: 120, state: 'overdue' });
  });

  it('is asked for where nobody has written it down, and where no process tells of what each deployment has', () => {
    const told = [secret('DB_PASSWORD', null, { fault: 'SECRETS_DATES_FILE does not name it' })];
    expect(secretAges(told, NOW).secrets).toEqual([
      { name: 'AUTH_USERS', ageDays: null, state: 'untold', fault: null },
      { name: 'DB_PASSWORD', ageDays: null, state: 'undated', fault: 'SECRETS_DATES_FILE does not name it' },
      { name: 'JWT_SECRET', ageDays: null, state: 'untold', fault: null },
    ]);
  });
});

it.each`
  days    | state
  ${22}   | ${'ok'}
  ${21}   | ${'ok'}
  ${20.9} | ${'soon'}
  ${0}    | ${'soon'}
  ${-0.1} | ${'expired'}
  ${null} | ${'unusable'}
`('a certificate with $days days left is $state', ({ days, state }: { days: number | null; state: string }) => {
  expect(secretAges([certificate('api', days)], NOW).certificates).toMatchObject([{ name: 'api', state }]);
});

it('what a person has to see to is said in sentences, what is only due is not', () => {
  const facts = [
    secret('DB_PASSWORD', '2026-01-01'),
    secret('JWT_SECRET', '2026-02-10'),
    certificate('api', 3.5),
    certificate('mqtt-ca', null, 'ca.crt: cannot be read (ENOENT)'),
    certificate('mqtt-client', -2),
    certificate('temporal-ca', 300),
  ];
  expect(secretProblems(secretAges(facts, NOW))).toEqual([
    'DB_PASSWORD is 120 days old, more than 90',
    'the certificate api of api-0 runs out in 3 days',
    'the certificate mqtt-ca of api-0 cannot be used: ca.crt: cannot be read (ENOENT)',
    'the certificate mqtt-client of api-0 has run out',
  ]);
});
