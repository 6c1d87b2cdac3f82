import { z } from 'zod';
import type { RegistryFile } from '../contracts/registry-file';
import { DermsError } from '../domain/errors';

/**
 * The part `simulation:` of a registry file: what a registry does not know of a device and a world needs. Everything
 * has a default, so that a registry without it can be simulated too. Energy in kWh, simulated hours, shares 0..1.
 */
const share = z.number().min(0).max(1);
const range = (bound: z.ZodNumber) =>
  z
    .tuple([bound, bound])
    .refine(([low, high]) => low <= high, 'the first number must not be above the second')
    .describe('Drawn between the two for each device.');
const hours = range(z.number().min(0.01).max(10_000));

const behaviourFields = {
  silent: z.boolean().describe('Sends nothing; goes on doing what it is told.'),
  deaf: z.boolean().describe('Hears no setpoints, as with a cut line; its last one expires.'),
  disobedient: z.boolean().describe('Hears its setpoints and does as it likes.'),
  offline: z.boolean().describe('Its gateway reports that it cannot reach it; it stands still.'),
  faultCode: z.string().min(1).max(128).nullable().describe('It reports this fault and stands still.'),
  clockOffsetSeconds: z.number().min(-86_400).max(86_400).describe('How far its clock is ahead.'),
};

const deviceSchema = z.strictObject({
  capacityKwh: z.number().gt(0).max(1e6).optional(),
  startSoc: share.optional(),
  efficiency: z.number().min(0.1).max(1).optional(),
  rampKwPerS: z.number().gt(0).max(1e6).optional(),
  ...z.object(behaviourFields).partial().shape,
});

const simulationSchema = z.strictObject({
  seed: z.number().int().default(1),
  speed: z.number().min(0).max(100_000).default(1).describe('How much faster sun and energy run than the clock.'),
  timeOfDay: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'is not a time of day, HH:MM')
    .default('11:00')
    .describe('Where the simulated sun starts, whatever the clock says.'),
  day: z.number().int().min(0).max(100_000).default(0).describe('Which day of the simulated weather it starts on.'),
  intervalSeconds: z.number().min(0.1).max(3_600).default(5).describe('Each device and meter reports once in this.'),
  cloudiness: share.default(0.3),
  battery: z.strictObject({ capacityKwh: range(z.number().gt(0)), startSoc: range(share) }).default({
    capacityKwh: [10, 15],
    startSoc: [0.3, 0.7],
  }),
  ev: z
    .strictObject({
      capacityKwh: range(z.number().gt(0)),
      startSoc: range(share),
      stayHours: hours.optional().describe('Left out: cars never leave.'),
      awayHours: hours.default([0.1, 0.5]),
      arrivalSoc: range(share).default([0.1, 0.5]),
    })
    .default({ capacityKwh: [40, 80], startSoc: [0.1, 0.6], awayHours: [0.1, 0.5], arrivalSoc: [0.1, 0.5] }),
  feeders: z
    .record(
      z.string(),
      z.strictObject({
        householdBaseKw: z.number().min(0).max(1e6).optional(),
        householdPeakKw: z.number().min(0).max(1e6).optional(),
        metered: z.boolean().default(true),
      }),
    )
    .default({}),
  devices: z.record(z.string(), deviceSchema).default({}),
});

export type Simulation = z.infer<typeof simulationSchema>;

/**
 * What the file says, with the defaults in place.
 *
 * @throws {DermsError} `REGISTRY_INVALID` with every fault, feeders and devices that the registry does not have among them.
 */
export function readSimulation({ simulation = {}, feeders, devices }: RegistryFile): Simulation {
  const result = simulationSchema.safeParse(simulation);
  const faults = [
    ...(result.error?.issues ?? []).map((issue) => ({
      pointer: ['/simulation', ...issue.path.map(String)].join('/'),
      message: issue.message,
    })),
    ...strangers(simulation['feeders'], new Set(feeders.map(({ feederId }) => feederId)), 'feeders'),
    ...strangers(simulation['devices'], new Set(devices.map(({ deviceId }) => deviceId)), 'devices'),
  ];
  if (!result.success || faults.length > 0) {
    throw new DermsError('REGISTRY_INVALID', 'The simulation section of the registry file has faults.', { faults });
  }
  return result.data;
}

const strangers = (named: unknown, known: ReadonlySet<string>, part: string) =>
  typeof named !== 'object' || named === null
    ? []
    : Object.keys(named)
        .filter((id) => !known.has(id))
        .map((id) => ({ pointer: `/simulation/${part}/${id}`, message: 'is not in the registry' }));
