import { z } from 'zod';
import { secretProblems } from '../domain/secret-age';
import { defineJob } from './runner/declaration';

/** Looks at what is never looked at otherwise until somebody has used it, or it has run out. */
export const job = defineJob({
  name: 'secrets-check',
  purpose:
    'Works out how old the secrets of this system are (JWT secret, passwords of people, of PostgreSQL and of the broker) and when its certificates run out.',
  input: z.strictObject({}),
  schedule: { cron: '35 5 * * *', overlap: 'skip', catchUpSeconds: 12 * 3_600 },
  concurrency: { atMost: 1 },
  freshness: {
    objective: 'the ages of secrets and certificates were looked at in the last 26 h',
    withinSeconds: 26 * 3_600,
  },
  runbook: 'secrets-and-rotation.md',
  attemptSeconds: 60,
  attempts: 5,
  run: async (_input, context) => {
    const { log, ports } = context;
    const { forgotten, ...ages } = await ports.secrets.check();
    const named = (wanted: string): string[] =>
      ages.secrets.filter(({ state }) => state === wanted).map(({ name }) => name);
    for (const problem of secretProblems(ages)) log.warn({}, problem);
    for (const name of named('due')) log.info({ secret: name }, 'is to be changed within two weeks');
    for (const { name, fault } of ages.secrets.filter(({ ageDays }) => ageDays === null))
      log.warn({ secret: name, reason: fault ?? 'no process tells of it' }, 'nobody knows how old it is');
    await context.evidence('secret-ages', ages);
    return {
      problems: secretProblems(ages),
      overdue: named('overdue'),
      due: named('due'),
      undated: [...named('undated'), ...named('untold')],
      secrets: ages.secrets.length,
      certificates: ages.certificates.length,
      forgotten,
    };
  },
});
