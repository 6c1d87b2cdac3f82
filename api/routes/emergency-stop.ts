import { z } from 'zod';
import { SAFE_STATES } from '../../domain/emergency-stop';
import { answer, defineRoute, type Route } from '../route';
import { textField, timestampSchema } from '../schemas/fields';
import { wakeTrees } from '../tell-workflow';

const PATH = '/api/emergency-stop';
const safeStateSchema = z
  .enum(SAFE_STATES)
  .describe('`default`: each device does what it does without a command. `zero`: 0 kW, a PV generates nothing.');

const stopSchema = z
  .strictObject({
    stopId: z.uuid(),
    safeState: safeStateSchema,
    reason: z.string(),
    engagedAt: timestampSchema,
    engagedBy: z.string(),
    learnedFrom: z
      .enum(['api', 'broker'])
      .describe('`broker`: engaged straight at the broker, and written down here afterwards.'),
    lifted: z.strictObject({ at: timestampSchema, by: z.string(), reason: z.string() }).nullable(),
  })
  .meta({ id: 'EmergencyStop' });

export const emergencyStopRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: PATH,
    operationId: 'readEmergencyStop',
    tag: 'Emergency stop',
    summary: 'Whether an emergency stop is in force, and those before it',
    answers: {
      200: {
        description: 'How it stands, and how it stood.',
        schema: z.strictObject({
          stopped: z.boolean(),
          inForce: stopSchema.nullable(),
          past: z.array(stopSchema).readonly().describe('Newest first, at most 20.'),
        }),
      },
    },
    errors: [],
    handle: async (_input, { emergencyStop }) => {
      const stops = await emergencyStop.list();
      const inForce = stops.find(({ lifted }) => lifted === null) ?? null;
      const past = stops.filter(({ lifted }) => lifted !== null);
      return answer(200, { stopped: inForce !== null, inForce, past });
    },
  }),

  defineRoute({
    method: 'post',
    path: PATH,
    operationId: 'engageEmergencyStop',
    tag: 'Emergency stop',
    summary: 'Send every device of every feeder to its safe state, now',
    description:
      'Goes to Postgres and straight to the broker at the same time and needs only one of them: with Postgres away the ' +
      'broker holds the stop until the workers have written it down. Every plan obeys it, in every mode, until an ' +
      'administrator lifts it. Limits are not looked at. Safe to repeat.',
    worksWhileQuarantined: true,
    neverLimited: true,
    worksWithoutDatabase: true,
    body: z.strictObject({ safeState: safeStateSchema, reason: textField(500) }),
    answers: {
      200: {
        description: 'It is in force. What could not be reached is named; it follows when it is back.',
        schema: z.strictObject({
          stopId: z.uuid(),
          safeState: safeStateSchema,
          databaseFailure: z
            .string()
            .nullable()
            .describe('null: written. Else why not; the control workers write it down when Postgres is back.'),
          brokerFailure: z
            .string()
            .nullable()
            .describe('null: the broker holds it. Else why not; the control loops tell the devices when it is back.'),
          devicesTold: z.number().int().describe('The broker has their safe setpoint.'),
          devicesNotTold: z.array(z.string()).readonly().describe('Ids of devices it has none of yet.'),
          loopsWoken: z.number().int().describe('Control loops that were woken to plan it.'),
        }),
      },
    },
    errors: ['DATABASE_UNAVAILABLE', 'QUARANTINED'],
    audit: { action: 'emergency-stop.engage', subject: () => 'fleet' },
    handle: async ({ body: { safeState, reason }, actor }, ports) => {
      const { rootFeederIds, ...engaged } = await ports.emergencyStop.engage({ safeState, reason, actor });
      const loopsWoken = await wakeTrees(ports, rootFeederIds, actor.requestId);
      return answer(200, { ...engaged, safeState, loopsWoken });
    },
  }),

  defineRoute({
    method: 'delete',
    path: PATH,
    operationId: 'liftEmergencyStop',
    tag: 'Emergency stop',
    summary: 'Let the control loops control again',
    worksWhileQuarantined: true,
    query: z.strictObject({ reason: textField(500).describe('Why it may be lifted; stays on record.') }),
    answers: { 200: { description: 'It is lifted, and the loops were told.', schema: stopSchema } },
    errors: ['NOT_STOPPED', 'QUARANTINED'],
    audit: { action: 'emergency-stop.lift', subject: () => 'fleet' },
    handle: async ({ query: { reason }, actor }, ports) => {
      const { stop, rootFeederIds } = await ports.emergencyStop.lift({ reason, actor });
      await wakeTrees(ports, rootFeederIds, actor.requestId);
      return answer(200, stop);
    },
  }),
];
