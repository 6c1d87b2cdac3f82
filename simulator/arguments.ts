import { parseArgs } from 'node:util';
import { z } from 'zod';

const wholeNumber = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const flags = {
  registry: z.string().min(1).optional(),
  devices: wholeNumber(1, 100_000).optional(),
  feeders: wholeNumber(1, 10_000).optional(),
  speed: z.coerce.number().min(0).max(100_000).optional(),
  seed: wholeNumber(0, 2 ** 31).optional(),
  interval: z.coerce.number().min(0.1).max(3_600).optional(),
  'time-of-day': z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'is not a time of day, HH:MM')
    .optional(),
  'day-offset': wholeNumber(0, 100_000).optional(),
  secondary: z
    .string()
    .regex(/^[^:\s]+:\d{1,5}$/, 'is not host:port')
    .optional(),
  silent: wholeNumber(0, 100_000).default(0),
  disobey: wholeNumber(0, 100_000).default(0),
  'clock-skew': wholeNumber(0, 100_000).default(0),
  offline: wholeNumber(0, 100_000).default(0),
  fault: wholeNumber(0, 100_000).default(0),
};

const argumentsSchema = z
  .strictObject(flags)
  .refine((given) => given.registry === undefined || (given.devices === undefined && given.feeders === undefined), {
    message: 'give either --registry or --devices and --feeders',
  })
  .refine((given) => (given.feeders ?? 1) <= (given.devices ?? Infinity), {
    message: '--feeders must not be more than --devices',
  });

export type SimulatorArguments = z.infer<typeof argumentsSchema>;

export const USAGE = `Usage: node dist/simulator/main.js [--registry file.yaml | --devices N --feeders F] [options]

  --registry FILE      feeders and devices to simulate (default deploy/registry/demo.yaml)
  --devices N          or a made-up fleet of this size
  --feeders F          on this many feeders (default 1)
  --interval SECONDS   each device reports once in this
  --speed X            sun and energy run this many times as fast; messages and expiries keep to the clock
  --time-of-day HH:MM  where the simulated sun starts
  --day-offset N       which day of the simulated weather
  --seed S             the same seed gives the same fleet, weather and faults
  --secondary H:P      the broker to turn to when MQTT_HOST:MQTT_PORT does not answer
                       (default MQTT_STANDBY_HOST:MQTT_STANDBY_PORT)
  --silent N  --disobey N  --clock-skew N  --offline N  --fault N
                       how many devices misbehave in which way

The broker comes from MQTT_HOST, MQTT_PORT, MQTT_USERNAME, MQTT_PASSWORD, MQTT_TOPIC_PREFIX (docs/configuration.md).
`;

/** Arguments that make no sense; the message names every one. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws {UsageError} naming every fault. */
export function readArguments(args: readonly string[]): SimulatorArguments {
  const options = Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'string' as const }]));
  let values: unknown;
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const result = argumentsSchema.safeParse({ ...(values as object) }); // parseArgs' object has no prototype
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) =>
    path[0] ? `--${String(path[0])}: ${message}` : message,
  );
  throw new UsageError(faults.join('\n'));
}
