import { z } from 'zod';
import { DEVICE_TYPES } from '../../contracts/topics';
import type { DeviceFields } from '../../db/device-record';
import { idCursor, pageOfRows, readCursor, timeCursor } from '../cursor';
import { answer, defineRoute, type Route } from '../route';
import { devicePatchBody, deviceSchema } from '../schemas/device';
import {
  cursorField,
  deviceParams,
  etagOf,
  ETAG_HEADER,
  idSchema,
  preconditionHeaders,
  preconditionsOf,
  pageLimit,
  pageOf,
  timestampSchema,
  uuidSchema,
} from '../schemas/fields';
import { quarterHourSchema, seriesQuery, seriesWindow } from '../schemas/series';
import { wakeTrees } from '../tell-workflow';
import { withoutUndefined } from '../without-undefined';

const telemetrySample = z
  .strictObject({
    sampledAt: timestampSchema,
    receivedAt: timestampSchema,
    powerKw: z.number(),
    energyKwh: z.number().nullable(),
    soc: z.number().nullable(),
    voltageV: z.number().nullable(),
    currentA: z.number().nullable(),
    online: z.boolean(),
    faultCode: z.string().nullable(),
  })
  .meta({ id: 'TelemetrySample' });

const telemetryQuarterHour = quarterHourSchema
  .extend({
    onlineSamples: z.number().int(),
    faultSamples: z.number().int(),
    energyFirstKwh: z.number().nullable().describe("The device's own counter at its first sample of the quarter."),
    energyLastKwh: z.number().nullable(),
    socFirst: z.number().nullable(),
    socLast: z.number().nullable(),
    voltageMinV: z.number().nullable(),
    voltageMaxV: z.number().nullable(),
  })
  .meta({ id: 'TelemetryQuarterHour' });

const setpointSchema = z
  .strictObject({
    plannedAt: timestampSchema,
    planId: uuidSchema,
    rootFeederId: idSchema,
    targetKw: z.number(),
    previousKw: z.number().nullable(),
    validUntil: timestampSchema,
    level: z.number().describe('Position on the level axis; 0 = at its want.'),
    tier: z.number().int(),
    boundBy: z.string().nullable().describe('The node whose limit held it.'),
    note: z.string(),
    acknowledgedAt: timestampSchema.nullable(),
  })
  .meta({ id: 'Setpoint' });

export const deviceRoutes: readonly Route[] = [
  defineRoute({
    method: 'get',
    path: '/api/devices',
    operationId: 'listDevices',
    tag: 'Devices',
    summary: 'Devices by id',
    query: z.strictObject({
      feederId: idSchema.optional().describe('At and below this feeder.'),
      type: z.enum(DEVICE_TYPES).optional(),
      state: z.enum(['online', 'stale', 'offline', 'not-following']).optional(),
      limit: pageLimit(1_000, 100),
      cursor: cursorField,
    }),
    answers: { 200: { description: 'A page of devices.', schema: pageOf(deviceSchema) } },
    errors: [],
    handle: async ({ query: { feederId, type, state, limit, cursor } }, { devices }) => {
      const after = readCursor(idCursor, cursor);
      const rows = await devices.list({
        feederId: feederId ?? null,
        deviceType: type ?? null,
        state: state ?? null,
        afterId: after === null ? null : after[0],
        limit: limit + 1,
      });
      return answer(
        200,
        pageOfRows(rows, limit, ({ deviceId }) => [deviceId]),
      );
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/devices/{deviceId}',
    operationId: 'readDevice',
    tag: 'Devices',
    summary: 'One device',
    params: deviceParams,
    answers: { 200: { description: 'The device as it is now.', schema: deviceSchema } },
    errors: ['DEVICE_NOT_FOUND'],
    handle: async ({ params: { deviceId } }, { devices }) => {
      const device = await devices.read(deviceId);
      return answer(200, device, etagOf(device.revision));
    },
  }),

  defineRoute({
    method: 'patch',
    path: '/api/devices/{deviceId}',
    operationId: 'patchDevice',
    tag: 'Devices',
    summary: 'Change what the registry says of a device',
    description:
      'What is left out stays. A feeder or rating that is set here can no longer be changed by the device; ratings that ' +
      'are both set to null are its own again.',
    params: deviceParams,
    headers: preconditionHeaders,
    body: devicePatchBody,
    answers: { 200: { description: 'It was changed.', schema: deviceSchema, headers: ETAG_HEADER } },
    errors: ['DEVICE_NOT_FOUND', 'DEVICE_INVALID', 'REVISION_MISSING', 'REVISION_CONFLICT'],
    needsTemporal: true,
    audit: { action: 'device.patch', subject: ({ params }) => params.deviceId },
    handle: async ({ params: { deviceId }, headers, body, actor }, ports) => {
      const { device, rootsTouched } = await ports.devices.patch({
        deviceId,
        fields: withoutUndefined<DeviceFields>(body),
        preconditions: preconditionsOf(headers),
        actor,
      });
      await wakeTrees(ports, rootsTouched, actor.requestId);
      return answer(200, device, etagOf(device.revision));
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/devices/{deviceId}/telemetry',
    operationId: 'listTelemetry',
    tag: 'Devices',
    summary: 'What the device reported, oldest first',
    params: deviceParams,
    query: seriesQuery,
    answers: {
      200: {
        description: 'Samples, or quarters of an hour.',
        schema: pageOf(z.union([telemetrySample, telemetryQuarterHour])),
      },
    },
    errors: ['DEVICE_NOT_FOUND'],
    handle: async ({ params: { deviceId }, query }, { devices }) => {
      if (query.resolution === 'quarter-hour') {
        const quarters = await devices.telemetryQuarterHours(deviceId, seriesWindow(query));
        return answer(
          200,
          pageOfRows(quarters, query.limit, ({ quarterAt }) => [quarterAt]),
        );
      }
      const rows = await devices.telemetry(deviceId, seriesWindow(query));
      return answer(
        200,
        pageOfRows(rows, query.limit, ({ sampledAt }) => [sampledAt]),
      );
    },
  }),

  defineRoute({
    method: 'get',
    path: '/api/devices/{deviceId}/setpoints',
    operationId: 'listSetpoints',
    tag: 'Devices',
    summary: 'Setpoints that changed, newest first',
    description: 'A renewal of the same setpoint is no new entry.',
    params: deviceParams,
    query: z.strictObject({ limit: pageLimit(1_000, 100), cursor: cursorField }),
    answers: { 200: { description: 'A page of setpoints.', schema: pageOf(setpointSchema) } },
    errors: ['DEVICE_NOT_FOUND'],
    handle: async ({ params: { deviceId }, query: { limit, cursor } }, { devices }) => {
      const before = readCursor(timeCursor, cursor);
      const rows = await devices.setpoints(deviceId, { before: before === null ? null : before[0], limit: limit + 1 });
      return answer(
        200,
        pageOfRows(rows, limit, ({ plannedAt }) => [plannedAt]),
      );
    },
  }),
];
