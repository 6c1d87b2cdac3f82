import type { Capabilities } from '../contracts/telemetry';

export interface Rating {
  readonly maxImportKw: number | null;
  readonly maxExportKw: number | null;
}

const UNSAID: Rating = { maxImportKw: null, maxExportKw: null };

/** What a device says it can do, kW >= 0; null = it does not say. Where it says two things, the smaller holds. */
export function ratingOf(capabilities: Capabilities | null): Rating {
  if (capabilities === null) return UNSAID;
  return {
    maxImportKw: smaller(capabilities.maxImportKw, capabilities.maxChargeKw),
    maxExportKw: smaller(capabilities.maxExportKw, capabilities.maxDischargeKw),
  };
}

function smaller(a: number | undefined, b: number | undefined): number | null {
  if (a === undefined) return b ?? null;
  return b === undefined ? a : Math.min(a, b);
}
