import type { ReceivedSetpoint } from '../contracts/setpoint';
import { turned, type Sign } from '../contracts/sign';
import type { DeviceType } from '../domain/fleet';
import type { Behaviour } from './behaviour';
import type { Random } from './physics/random';
import { ramped } from './physics/ramp';
import { mostChargeKw, socAfter, storagePowerKw, type Storage } from './physics/storage';
import { nextVisit, type Visit, type Visits } from './physics/vehicle';
import { judgeSetpoint, type Verdict } from './setpoint-in-force';

/** What never changes about a device. Power in kW, inside sign unless it says otherwise. */
export interface DeviceTraits {
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly feederId: string;
  readonly sign: Sign | null;
  readonly maxImportKw: number;
  readonly maxExportKw: number;
  readonly defaultPowerKw: number;
  readonly rampKwPerS: number;
  /** PV: share of the clear sky's power that its panels give. */
  readonly performance: number;
  /** Battery or car; null for a PV. */
  readonly storage: Storage | null;
  /** Comings and goings of cars; null: one stays for ever, or it is no charger. */
  readonly visits: Visits | null;
}

/** A setpoint that the device obeys. `targetKw` in the inside sign; a PV's is a cap, so negative or 0. */
export interface SetpointInForce {
  readonly messageId: string;
  readonly correlationId: string | null;
  readonly timestampMs: number;
  readonly validUntilMs: number;
  readonly targetKw: number;
  readonly rampKwPerS: number | null;
}

/** A moment of the world, as every device sees it. */
export interface Moment {
  /** Length of the step, real seconds (ramps) and simulated hours (energy). */
  readonly seconds: number;
  readonly simulatedHours: number;
  readonly monotonicMs: number;
  /** Share of its rating that the sky grants a panel, 0..1. */
  readonly sunshine: number;
}

/** One device: a state that setpoints and time change. It knows neither broker nor clock nor wire. */
export class SimulatedDevice {
  powerKw = 0;
  /** 0..1; null when it has no store, or no car is there. */
  soc: number | null;
  /** Sum of what it generated (PV) or drew, kWh. */
  energyKwh = 0;
  /** What it would do if nobody asked it for anything: cars charge, panels give all they can. */
  wantKw = 0;
  setpoint: SetpointInForce | null = null;
  visit: Visit;
  private last: { readonly messageId: string; readonly timestampMs: number } | null = null;
  private expiresAtMs = 0;

  constructor(
    readonly traits: DeviceTraits,
    public behaviour: Behaviour,
    start: { readonly soc: number | null; readonly visit: Visit },
    private readonly random: Random,
  ) {
    this.soc = start.soc;
    this.visit = start.visit;
  }

  /**
   * Takes or ignores a setpoint. What is left of its life is measured once, by the device's clock, and then runs on the
   * monotonic one: a clock that is set afterwards neither prolongs nor ends it.
   */
  hear(received: ReceivedSetpoint, wallMs: number, monotonicMs: number): Verdict {
    const clockMs = wallMs + this.behaviour.clockOffsetSeconds * 1000;
    const verdict = judgeSetpoint(received, this.last, clockMs);
    if (verdict !== 'taken') return verdict;
    this.last = received;
    this.expiresAtMs = monotonicMs + (received.validUntilMs - clockMs);
    this.setpoint = {
      messageId: received.messageId,
      correlationId: received.correlationId,
      timestampMs: received.timestampMs,
      validUntilMs: received.validUntilMs,
      targetKw: this.insideTarget(received.targetPowerKw),
      rampKwPerS: received.rampKwPerS,
    };
    return verdict;
  }

  step(moment: Moment): void {
    if (this.setpoint !== null && this.behaviour.honoursExpiry && moment.monotonicMs >= this.expiresAtMs) {
      this.setpoint = null;
    }
    if (this.traits.visits !== null) this.comeAndGo(this.traits.visits, moment.simulatedHours * 3_600);
    if (this.traits.storage === null) this.stepPv(moment);
    else this.stepStorage(this.traits.storage, moment);
  }

  /** A PV's command is the most it may generate, whatever its telemetry's sign is; the others speak their own sign. */
  private insideTarget(wireKw: number): number {
    const { deviceType, sign } = this.traits;
    return deviceType === 'pv' ? 0 - Math.max(0, wireKw) : turned(wireKw, deviceType, sign);
  }

  private stepPv({ sunshine, seconds, simulatedHours }: Moment): void {
    const { maxExportKw, performance } = this.traits;
    const availableKw = this.standsStill() ? 0 : maxExportKw * performance * sunshine;
    this.wantKw = 0 - availableKw;
    const capKw = this.behaviour.disobedient ? maxExportKw : 0 - this.askedKw();
    const allowedKw = ramped(0 - this.powerKw, Math.min(availableKw, capKw), this.rampKwPerS(), seconds);
    const generationKw = Math.min(availableKw, Math.max(0, allowedKw)); // a cloud does not wait for a ramp
    this.powerKw = 0 - generationKw;
    this.energyKwh += generationKw * simulatedHours;
  }

  private stepStorage(storage: Storage, { seconds, simulatedHours }: Moment): void {
    if (this.soc === null || this.standsStill()) {
      this.powerKw = 0;
      this.wantKw = 0;
      return;
    }
    const isCar = this.traits.deviceType === 'ev';
    const mostKw = mostChargeKw(storage, this.soc);
    this.wantKw = isCar && mostKw >= storage.minChargeKw ? mostKw : 0;
    const askedKw = this.behaviour.disobedient ? storage.maxChargeKw : this.askedKw();
    // A charger begins at its minimum; there is nothing between that and 0 to ramp through.
    const fromKw = askedKw >= storage.minChargeKw ? Math.max(this.powerKw, storage.minChargeKw) : this.powerKw;
    const wantedKw = ramped(isCar ? fromKw : this.powerKw, askedKw, this.rampKwPerS(), seconds);
    this.powerKw = storagePowerKw(storage, this.soc, wantedKw, simulatedHours);
    this.soc = socAfter(storage, this.soc, this.powerKw, simulatedHours);
    this.energyKwh += Math.max(0, this.powerKw) * simulatedHours;
  }

  private comeAndGo(visits: Visits, simulatedSeconds: number): void {
    this.visit = { ...this.visit, secondsLeft: this.visit.secondsLeft - simulatedSeconds };
    if (this.visit.secondsLeft > 0) return;
    const { soc, ...visit } = nextVisit(visits, this.visit, this.random);
    this.visit = visit;
    this.soc = soc;
  }

  private askedKw(): number {
    return this.setpoint?.targetKw ?? this.traits.defaultPowerKw;
  }

  private rampKwPerS(): number {
    return Math.min(this.traits.rampKwPerS, this.setpoint?.rampKwPerS ?? Infinity);
  }

  private standsStill(): boolean {
    return this.behaviour.offline || this.behaviour.faultCode !== null;
  }
}
