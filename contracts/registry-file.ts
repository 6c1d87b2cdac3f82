import { LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { DermsError, type FieldFault } from '../domain/errors';
import { treeFaults } from './registry-tree';
import { DEVICE_TYPES, ID_PATTERN } from './topics';

/**
 * The registry file: the tree of feeders and the devices on it, as an operator writes it (YAML).
 *
 * The same names and bounds as the columns of the database, kW in the inside sign. Read strictly: a field that nobody
 * knows is a fault, not a remark. What a file leaves out is left as it is; on a new row the column's default holds.
 * `null` clears a column that may be empty.
 */
const MAX_KW = 1e6; // a gigawatt: beyond it is a broken number, as in telemetry
const id = z.string().regex(ID_PATTERN, 'is not an id: 1 to 128 of A-Z a-z 0-9 . _ : -');
const name = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => !/[\p{Cc}\p{Cs}]/u.test(text), 'has control characters')
  .nullable()
  .optional();
const kw = z.number().min(-MAX_KW).max(MAX_KW);
const limitKw = z.number().min(0).max(MAX_KW);
const share = z.number().min(0).max(1);

export const registryFeederSchema = z.strictObject({
  feederId: id,
  parentId: id.nullable().optional().describe('The node above; none for a root.'),
  name,
  importLimitKw: limitKw.describe('Most that may flow in, kW.'),
  exportLimitKw: limitKw.describe('Most that may flow out, kW; no sign.'),
  baseLoadKw: kw.optional().describe('Load of its own that nobody controls, assumed while there is no meter, kW.'),
  mode: z.enum(['automatic', 'manual', 'disabled']).optional().describe('Of the loop; roots only.'),
  intervalSeconds: z.number().int().min(2).max(600).optional().describe('Of the loop, s; roots only.'),
  enabled: z.boolean().optional().describe('false: nobody controls this tree; roots only.'),
});

export const registryDeviceSchema = z.strictObject({
  deviceId: id,
  deviceType: z.enum(DEVICE_TYPES),
  feederId: id,
  name,
  sign: z.enum(['load', 'generator']).nullable().optional().describe('How it counts when not as the contract says.'),
  maxImportKw: limitKw.nullable().optional().describe('Most it may draw, kW.'),
  maxExportKw: limitKw.nullable().optional().describe('Most it may give, kW; no sign.'),
  minImportKw: limitKw.optional().describe('An EV charges at 0 or at least this, kW.'),
  defaultPowerKw: kw.nullable().optional().describe('What it does without a valid setpoint, kW, import positive.'),
  honoursExpiry: z.boolean().optional().describe('false: it goes on with its last setpoint for ever.'),
  weight: limitKw.optional().describe('Its share of scarce headroom.'),
  reserveSoc: share.optional().describe('A battery is never discharged below this.'),
  targetSoc: share.optional().describe('An EV wants its maximum below this; a battery is never charged above it.'),
  scheduledPowerKw: kw.optional().describe("A battery's schedule, kW, + charges."),
  rampKwPerS: z.number().gt(0).max(MAX_KW).nullable().optional().describe('How fast it is raised again, kW/s.'),
  enabled: z.boolean().optional(),
});

export const registryFileSchema = z.strictObject({
  feeders: z.array(registryFeederSchema),
  devices: z.array(registryDeviceSchema).default([]),
  /** How a simulated fleet behaves. Nobody but the simulator looks inside. */
  simulation: z.looseObject({}).optional(),
});

export type RegistryFeeder = z.infer<typeof registryFeederSchema>;
export type RegistryDevice = z.infer<typeof registryDeviceSchema>;
export type RegistryFile = z.infer<typeof registryFileSchema>;

/**
 * Reads the text of a registry file (YAML, hence JSON too).
 *
 * @throws {DermsError} `REGISTRY_INVALID` with every fault at once; each message begins with its line.
 */
export function parseRegistryFile(text: string): RegistryFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw invalid(
      document.errors.map(({ message, pos }) => ({
        pointer: '',
        message: `line ${String(lines.linePos(pos[0]).line)}: ${message}`,
      })),
    );
  }
  const faultAt = (fault: FieldFault): FieldFault => withLine(fault, document, lines);
  return readRegistry(valueOf(document), faultAt);
}

/**
 * The same for a value that was parsed already, such as the body of a request.
 *
 * @throws {DermsError} `REGISTRY_INVALID` with every fault at once: of single fields first, then of the tree.
 */
export function readRegistry(
  value: unknown,
  faultAt: (fault: FieldFault) => FieldFault = (fault) => fault,
): RegistryFile {
  const result = registryFileSchema.safeParse(value, { reportInput: true });
  const faults = [...(result.error?.issues.flatMap(faultsOfIssue) ?? []), ...treeFaults(value)];
  if (!result.success || faults.length > 0) throw invalid(faults.map(faultAt));
  return result.data;
}

function invalid(faults: readonly FieldFault[]): DermsError {
  const many = faults.length === 1 ? 'one fault' : `${String(faults.length)} faults`;
  return new DermsError('REGISTRY_INVALID', `The registry file has ${many}; nothing was applied.`, { faults });
}

function faultsOfIssue(issue: z.core.$ZodIssue): FieldFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: pointerTo([...issue.path, key]), message: 'is not a known field' }));
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined;
  return [{ pointer: pointerTo(issue.path), message: missing ? 'is required and missing' : issue.message }];
}

/** RFC 6901. */
const pointerTo = (path: readonly PropertyKey[]): string =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

function withLine(fault: FieldFault, document: Document, lines: LineCounter): FieldFault {
  const steps = fault.pointer.split('/').slice(1);
  // What is missing has no place of its own: the line of what it is missing from.
  for (let length = steps.length; length > 0; length -= 1) {
    const path = steps.slice(0, length).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const node = document.getIn(path, true) as { range?: [number, number, number] | null } | undefined; // a node, as asked for by `true`
    const start = node?.range?.[0];
    if (start !== undefined)
      return { ...fault, message: `line ${String(lines.linePos(start).line)}: ${fault.message}` };
  }
  return fault;
}

function valueOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }); // against files that unfold into gigabytes
  } catch (error) {
    throw invalid([{ pointer: '', message: error instanceof Error ? error.message : String(error) }]);
  }
}
