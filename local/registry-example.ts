import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface ExampleDispatch {
  readonly feederId: string;
  readonly importLimitKw: number;
}

/** Half of a feeder's limit is below what its fleet draws, and leaves room for what nobody controls. */
const SHARE = 0.5;

/** A dispatch to try on the fleet of a registry file: half the import limit of its first feeder below a substation. */
export function exampleDispatch(registryFile: string): ExampleDispatch {
  const { feeders = [] } = (parse(readFileSync(registryFile, 'utf8')) ?? {}) as RegistryFile;
  const feeder = feeders.find(({ parentId }) => parentId) ?? feeders[0];
  if (feeder === undefined) throw new Error(`${registryFile} has no feeder`);
  return { feederId: feeder.feederId, importLimitKw: Math.round(feeder.importLimitKw * SHARE) };
}

/** The part that we read; `registry apply` has checked the whole before. */
interface RegistryFile {
  readonly feeders?: readonly {
    readonly feederId: string;
    readonly parentId?: string | null;
    readonly importLimitKw: number;
  }[];
}
