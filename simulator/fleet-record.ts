import type { ReceivedSetpoint } from '../contracts/setpoint';
import type { OutgoingMessage } from './outbox';
import type { Verdict } from './setpoint-in-force';

export type SetpointOutcome = Verdict | 'invalid';

/** What a fleet did so far. */
export interface FleetCounts {
  /** Readings and measurements made, whether they could be sent or not. */
  readonly telemetryProduced: number;
  readonly measurementsProduced: number;
  /** Accepted by the broker. */
  readonly telemetryAcknowledged: number;
  readonly measurementsAcknowledged: number;
  /** Sent and not acknowledged yet; kept for a broker that is away; given up because too many were kept. */
  readonly inFlight: number;
  readonly waiting: number;
  readonly dropped: number;
  /** Setpoints by what the devices did about them. */
  readonly setpoints: Readonly<Record<SetpointOutcome, number>>;
  readonly connections: number;
  readonly connectionsUp: number;
  /** Of those, by the broker they are at, in the order in which the brokers were given. */
  readonly connectionsAt: readonly number[];
}

/** A reading that the broker has taken over. */
export interface RecordedReading {
  readonly deviceId: string;
  readonly timestampMs: number;
  readonly acknowledgedAtMs: number;
  /** Which of the brokers has it, in the order in which they were given. */
  readonly brokerIndex: number;
}

/** A setpoint as a device heard it; power in the wire's sign. */
export interface RecordedSetpoint extends ReceivedSetpoint {
  readonly heardAtMs: number;
  readonly outcome: Verdict;
}

interface RecordOptions {
  readonly telemetry?: boolean;
  readonly setpoints?: boolean;
}

/** Counts always; remembers single messages only where that was asked for. */
export class FleetRecord {
  readonly counts = {
    telemetryProduced: 0,
    measurementsProduced: 0,
    telemetryAcknowledged: 0,
    measurementsAcknowledged: 0,
    setpoints: { taken: 0, expired: 0, repeated: 0, older: 0, invalid: 0 },
  };
  readonly readings: RecordedReading[] = [];
  private readonly setpoints = new Map<string, RecordedSetpoint[]>();

  constructor(private readonly options: RecordOptions) {}

  produced(kind: OutgoingMessage['kind']): void {
    if (kind === 'telemetry') this.counts.telemetryProduced += 1;
    else this.counts.measurementsProduced += 1;
  }

  acknowledged({ kind, sender, timestampMs }: OutgoingMessage, brokerIndex: number): void {
    if (kind === 'measurement') {
      this.counts.measurementsAcknowledged += 1;
      return;
    }
    this.counts.telemetryAcknowledged += 1;
    if (this.options.telemetry)
      this.readings.push({ deviceId: sender, timestampMs, acknowledgedAtMs: Date.now(), brokerIndex });
  }

  /** `setpoint` is null when it could not be read. */
  heard(deviceId: string, setpoint: ReceivedSetpoint | null, outcome: SetpointOutcome): void {
    this.counts.setpoints[outcome] += 1;
    if (!this.options.setpoints || setpoint === null || outcome === 'invalid') return;
    const recorded = { ...setpoint, heardAtMs: Date.now(), outcome };
    const list = this.setpoints.get(deviceId);
    if (list === undefined) this.setpoints.set(deviceId, [recorded]);
    else list.push(recorded);
  }

  setpointsOf(deviceId: string): readonly RecordedSetpoint[] {
    return this.setpoints.get(deviceId) ?? [];
  }
}
