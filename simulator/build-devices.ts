import type { RegistryDevice, RegistryFile } from '../contracts/registry-file';
import { WELL_BEHAVED, type Behaviour } from './behaviour';
import { between, randomStream, type Random } from './physics/random';
import type { Storage } from './physics/storage';
import { firstVisit, type Visits } from './physics/vehicle';
import { SimulatedDevice, type DeviceTraits } from './simulated-device';
import type { Simulation } from './simulation-section';

/** Where neither registry nor simulation says it: a house's inverter, its battery, its charger. kW. */
const USUAL_KW = { pv: { import: 0, export: 10 }, battery: { import: 5, export: 5 }, ev: { import: 11, export: 0 } };
/** Round trip of about 90 %. */
const USUAL_EFFICIENCY = 0.95;
/** From nothing to its rating in this time, s, when nobody says how fast it is. */
const USUAL_RAMP_SECONDS = 4;

/** The devices of a registry as the simulation has them; disabled ones are there too: the registry does not unplug them. */
export function buildDevices(
  { devices }: RegistryFile,
  simulation: Simulation,
  faults: ReadonlyMap<string, Partial<Behaviour>>,
): SimulatedDevice[] {
  return devices.map((device) => build(device, simulation, faults.get(device.deviceId) ?? {}));
}

function build(device: RegistryDevice, simulation: Simulation, fault: Partial<Behaviour>): SimulatedDevice {
  const { capacityKwh, startSoc, efficiency, rampKwPerS, ...behaviour } = simulation.devices[device.deviceId] ?? {};
  const random = randomStream(simulation.seed, `device/${device.deviceId}`);
  const usual = USUAL_KW[device.deviceType];
  const maxImportKw = device.maxImportKw ?? usual.import;
  const maxExportKw = device.maxExportKw ?? usual.export;
  const store = device.deviceType === 'pv' ? null : simulation[device.deviceType];
  const drawn = drawTraits(random, store);
  const storage: Storage | null = store && {
    capacityKwh: capacityKwh ?? drawn.capacityKwh,
    maxChargeKw: maxImportKw,
    maxDischargeKw: maxExportKw,
    minChargeKw: device.minImportKw ?? 0,
    efficiency: efficiency ?? USUAL_EFFICIENCY,
  };
  const visits = device.deviceType === 'ev' ? visitsOf(simulation) : null;
  const traits: DeviceTraits = {
    deviceId: device.deviceId,
    deviceType: device.deviceType,
    feederId: device.feederId,
    sign: device.sign ?? null,
    maxImportKw,
    maxExportKw,
    defaultPowerKw: device.defaultPowerKw ?? (device.deviceType === 'pv' ? -maxExportKw : 0),
    rampKwPerS: rampKwPerS ?? Math.max(maxImportKw, maxExportKw) / USUAL_RAMP_SECONDS,
    performance: drawn.performance,
    storage,
    visits,
  };
  return new SimulatedDevice(
    traits,
    { ...WELL_BEHAVED, honoursExpiry: device.honoursExpiry ?? true, ...given(behaviour), ...fault },
    {
      soc: storage === null ? null : (startSoc ?? drawn.startSoc),
      visit: visits === null ? { pluggedIn: true, secondsLeft: Infinity } : firstVisit(visits, random),
    },
    random,
  );
}

/** Drawn whether they are used or not, so that a capacity written into the file does not change the next draw. */
function drawTraits(
  random: Random,
  store: { capacityKwh: readonly [number, number]; startSoc: readonly [number, number] } | null,
): { performance: number; capacityKwh: number; startSoc: number } {
  return {
    performance: between(random, [0.9, 1]),
    capacityKwh: between(random, store?.capacityKwh ?? [0, 0]),
    startSoc: between(random, store?.startSoc ?? [0, 0]),
  };
}

const visitsOf = ({ ev }: Simulation): Visits | null =>
  ev.stayHours === undefined ? null : { stayHours: ev.stayHours, awayHours: ev.awayHours, arrivalSoc: ev.arrivalSoc };

/** Fields that are there: an absent one must not cover a default. */
function given(behaviour: { readonly [Name in keyof Behaviour]?: Behaviour[Name] | undefined }): Partial<Behaviour> {
  return Object.fromEntries(Object.entries(behaviour).filter(([, value]) => value !== undefined));
}
