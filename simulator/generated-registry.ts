import type { RegistryDevice, RegistryFile } from '../contracts/registry-file';

/** Of ten devices four are chargers, three panels, three batteries; spread so that small fleets have each. */
const TYPES = ['ev', 'pv', 'battery', 'ev', 'pv', 'battery', 'ev', 'pv', 'battery', 'ev'] as const;
const RATINGS = {
  ev: { maxImportKw: 11, maxExportKw: 0, minImportKw: 1.4 },
  pv: { maxImportKw: 0, maxExportKw: 10 },
  battery: { maxImportKw: 5, maxExportKw: 5 },
} as const;
/** Of homes that nobody controls, per device. */
const HOUSEHOLD_KW = 1;

/**
 * A fleet of any size: `feeders` trees of one node each, the devices dealt out evenly, limits at which both import and
 * export have to be held when cars charge and the sun shines. Always the same for the same numbers.
 */
export function generateRegistry(options: { readonly devices: number; readonly feeders: number }): RegistryFile {
  const feederIds = Array.from({ length: options.feeders }, (_, index) => `sim-feeder-${padded(index)}`);
  const devices = Array.from({ length: options.devices }, (_, index): RegistryDevice => {
    const deviceType = TYPES[Math.floor(index / options.feeders) % TYPES.length] ?? 'ev';
    const feederId = feederIds[index % options.feeders] ?? 'sim-feeder';
    return { deviceId: `sim-${deviceType}-${padded(index)}`, deviceType, feederId, ...RATINGS[deviceType] };
  });
  const perFeeder = options.devices / options.feeders;
  return {
    feeders: feederIds.map((feederId) => ({
      feederId,
      importLimitKw: Math.ceil(3 * perFeeder),
      exportLimitKw: Math.ceil(1.5 * perFeeder),
      baseLoadKw: Math.round(HOUSEHOLD_KW * perFeeder),
    })),
    devices,
  };
}

const padded = (index: number): string => String(index + 1).padStart(5, '0');
