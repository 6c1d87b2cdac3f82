import type { DeviceType } from '../domain/fleet';
import { isFiniteNumber, isRecord, isRefusal, parseJson, refuse, type Envelope, type Refusal } from './envelope';
import { turned, type Sign } from './sign';

/** QoS and retain of `<prefix>/setpoints/<deviceType>/<deviceId>`. */
export const setpointDelivery = { qos: 1, retain: true } as const;

export type SetpointMode = 'charge' | 'discharge' | 'idle' | 'import' | 'export' | 'limit';

export interface SetpointPayload {
  readonly command: { readonly targetPowerKw: number; readonly mode: SetpointMode; readonly validUntilMs: number };
  readonly constraints: { readonly rampRateKwPerS?: number };
  readonly reason: { readonly allocator: string; readonly notes?: string };
}

export type SetpointMessage = Envelope<'setpoint', SetpointPayload> & {
  readonly deviceId: string;
  readonly deviceType: DeviceType;
};

export interface SetpointToSend {
  readonly messageId: string;
  readonly planId: string;
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly sign: Sign | null;
  /** Inside sign. */
  readonly targetKw: number;
  readonly validUntilMs: number;
  readonly timestampMs: number;
  readonly rampKwPerS: number | null;
  readonly allocator: string;
  readonly notes: string;
}

/** The message as contract v1 says it: a PV gets the most it may generate, a battery + charge, an EV what it may draw. */
export function setpointMessage(setpoint: SetpointToSend): SetpointMessage {
  const { deviceType, deviceId, rampKwPerS } = setpoint;
  return {
    v: 1,
    messageType: 'setpoint',
    messageId: setpoint.messageId,
    deviceId,
    deviceType,
    timestampMs: setpoint.timestampMs,
    correlationId: setpoint.planId,
    source: 'backend',
    payload: {
      command: {
        targetPowerKw: rounded(wireTarget(setpoint)),
        mode: modeOf(deviceType, setpoint.targetKw),
        validUntilMs: setpoint.validUntilMs,
      },
      constraints: rampKwPerS === null ? {} : { rampRateKwPerS: rampKwPerS },
      reason: { allocator: setpoint.allocator, notes: setpoint.notes },
    },
  };
}

/** What a device reads from a setpoint message. */
export interface ReceivedSetpoint {
  readonly messageId: string;
  readonly correlationId: string | null;
  readonly timestampMs: number;
  readonly targetPowerKw: number;
  readonly mode: SetpointMode;
  readonly validUntilMs: number;
  readonly rampKwPerS: number | null;
}

/** The device's side, used by the simulator and by tests that watch the broker. Largest setpoint taken: 64 KiB. */
export function parseSetpoint(payload: Buffer): ReceivedSetpoint | Refusal {
  const message = parseJson(payload, 65_536);
  if (isRefusal(message)) return message;
  if (message['v'] !== 1) return refuse('unknown-version', 'v is not 1');
  if (message['messageType'] !== 'setpoint') return refuse('unknown-type', 'messageType is not "setpoint"');
  const body = message['payload'];
  const command = isRecord(body) ? body['command'] : undefined;
  if (!isRecord(command)) return refuse('missing-field', 'payload.command is missing');
  const { targetPowerKw, validUntilMs, mode } = command;
  if (!isFiniteNumber(targetPowerKw) || !isFiniteNumber(validUntilMs)) {
    return refuse('invalid-number', 'payload.command needs targetPowerKw and validUntilMs');
  }
  const constraints = isRecord(body) ? body['constraints'] : undefined;
  const ramp = isRecord(constraints) ? constraints['rampRateKwPerS'] : undefined;
  return {
    messageId: String(message['messageId']),
    correlationId: typeof message['correlationId'] === 'string' ? message['correlationId'] : null,
    timestampMs: Number(message['timestampMs']),
    targetPowerKw,
    mode: mode as SetpointMode,
    validUntilMs,
    rampKwPerS: isFiniteNumber(ramp) && ramp > 0 ? ramp : null,
  };
}

/** A PV's cap is generation whatever its telemetry's sign is; the others speak their own sign. */
const wireTarget = ({ deviceType, sign, targetKw }: SetpointToSend): number =>
  deviceType === 'pv' ? Math.max(0, 0 - targetKw) : turned(targetKw, deviceType, sign);

function modeOf(deviceType: DeviceType, targetKw: number): SetpointMode {
  switch (deviceType) {
    case 'pv':
      return 'limit';
    case 'ev':
      return targetKw > 0 ? 'import' : 'idle';
    case 'battery':
      if (targetKw === 0) return 'idle';
      return targetKw > 0 ? 'charge' : 'discharge';
  }
}

/** Watts are enough on the wire. Rounded towards zero, so that rounding never adds up to more than was allotted. */
const rounded = (kw: number): number => Math.trunc(kw * 1000) / 1000 + 0;
