import { z } from 'zod';
import { healthReport, healthSchema } from '../health/report';
import { staleJobs } from '../jobs/freshness';
import { answer, defineRoute, type Route } from '../route';

export const healthRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/health',
    operationId: 'health',
    tag: 'Health',
    summary: 'What works and what does not',
    description: 'Always 200 and at once, from what was seen last: also while a dependency hangs.',
    answers: { 200: { description: '`ok`, or `degraded` with what and which feeders.', schema: healthSchema } },
    errors: [],
    worksWithoutDatabase: true,
    handle: (_input, { health, jobs, settings, authentication, secrets, brokerPair }) => {
      const others = [
        ...brokerPair.problems(),
        ...staleJobs(jobs),
        ...authentication.problems(),
        ...secrets.problems(),
      ];
      return Promise.resolve(answer(200, healthReport(health, settings, others)));
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/ready',
    operationId: 'ready',
    tag: 'Health',
    summary: 'Whether requests shall be sent here',
    description:
      '503 before migrations are current and while the process stops; an outage of a dependency is no reason.',
    answers: {
      200: { description: 'Ready.', schema: z.strictObject({ ready: z.literal(true), missing: z.null() }) },
      503: { description: 'Not ready.', schema: z.strictObject({ ready: z.literal(false), missing: z.string() }) },
    },
    errors: [],
    worksWithoutDatabase: true,
    handle: (_input, { health, stopping }) => {
      const missing = stopping() ? 'the process is stopping' : health.schemaFault();
      return Promise.resolve(
        missing === null
          ? answer(200, { ready: true as const, missing })
          : answer(503, { ready: false as const, missing }, { 'Retry-After': '1' }),
      );
    },
  }),
];
