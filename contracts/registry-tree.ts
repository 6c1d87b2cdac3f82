import type { FieldFault } from '../domain/errors';
import { isRecord, shown } from './envelope';

/**
 * What no single field of a registry file can tell: ids given twice, nodes that hang on nothing or on themselves,
 * bounds that exclude each other. Looks at whatever is there, so that these faults are named together with the others.
 */
export function treeFaults(file: unknown): FieldFault[] {
  if (!isRecord(file)) return [];
  const feeders = entries(file['feeders']);
  const devices = entries(file['devices']);
  const feederIds = new Set(feeders.map((feeder) => feeder['feederId']));
  return [
    ...duplicates(feeders, 'feeders', 'feederId'),
    ...feeders.flatMap((feeder, index) => parentFaults(feeder, `/feeders/${String(index)}`, feederIds)),
    ...circles(feeders),
    ...duplicates(devices, 'devices', 'deviceId'),
    ...devices.flatMap((device, index) => deviceFaults(device, `/devices/${String(index)}`, feederIds)),
  ];
}

type Entry = Record<string, unknown>;

/** Entries keep their place in the list; one that is no object counts as empty (its shape is another's fault). */
const entries = (list: unknown): Entry[] =>
  Array.isArray(list) ? list.map((entry) => (isRecord(entry) ? entry : {})) : [];

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function duplicates(list: readonly Entry[], listName: string, idName: string): FieldFault[] {
  const firstAt = new Map<unknown, number>();
  return list.flatMap((entry, index) => {
    const id = entry[idName];
    if (typeof id !== 'string') return [];
    const first = firstAt.get(id);
    if (first === undefined) {
      firstAt.set(id, index);
      return [];
    }
    const pointer = `/${listName}/${String(index)}/${idName}`;
    return [{ pointer, message: `${shown(id)} stands at /${listName}/${String(first)} already` }];
  });
}

function parentFaults(feeder: Entry, at: string, feederIds: ReadonlySet<unknown>): FieldFault[] {
  const parentId = feeder['parentId'];
  if (!isGiven(parentId)) return [];
  const faults: FieldFault[] = [];
  if (!feederIds.has(parentId)) {
    faults.push({ pointer: `${at}/parentId`, message: `there is no feeder ${shown(parentId)}` });
  }
  for (const name of ['mode', 'intervalSeconds', 'enabled']) {
    if (feeder[name] === undefined) continue;
    faults.push({ pointer: `${at}/${name}`, message: 'belongs to the root: one loop controls the whole tree' });
  }
  return faults;
}

/** Each circle once, at the first node in the file that leads to it. */
function circles(feeders: readonly Entry[]): FieldFault[] {
  const parentOf = new Map(feeders.map((feeder) => [feeder['feederId'], feeder['parentId']]));
  const settled = new Set<unknown>();
  return feeders.flatMap((feeder, index) => {
    const path = new Set<unknown>();
    let node: unknown = feeder['feederId'];
    while (isGiven(node) && !settled.has(node) && !path.has(node)) {
      path.add(node);
      node = parentOf.get(node);
    }
    for (const passed of path) settled.add(passed);
    if (!path.has(node)) return [];
    const circle = [...path].slice([...path].indexOf(node));
    const story = [...circle, node].map(shown).join(' → ');
    return [{ pointer: `/feeders/${String(index)}/parentId`, message: `the feeders hang on each other: ${story}` }];
  });
}

function deviceFaults(device: Entry, at: string, feederIds: ReadonlySet<unknown>): FieldFault[] {
  const { feederId, minImportKw, maxImportKw, reserveSoc, targetSoc } = device;
  const faults: FieldFault[] = [];
  if (isGiven(feederId) && !feederIds.has(feederId)) {
    faults.push({ pointer: `${at}/feederId`, message: `there is no feeder ${shown(feederId)}` });
  }
  if (isAbove(minImportKw, maxImportKw)) {
    faults.push({ pointer: `${at}/minImportKw`, message: 'is more than maxImportKw' });
  }
  if (isAbove(reserveSoc, targetSoc)) {
    faults.push({ pointer: `${at}/reserveSoc`, message: 'is more than targetSoc' });
  }
  return faults;
}

const isAbove = (low: unknown, high: unknown): boolean =>
  typeof low === 'number' && typeof high === 'number' && low > high;
