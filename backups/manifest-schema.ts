import { z } from 'zod';

/** What lies beside a backup and says what it is. It holds no row, no password and no key. */
const count = z.number().int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** As Postgres writes positions in its log: `1A/2B3C4D5E`. */
export const lsnSchema = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
const time = z.iso.datetime();

/** Proof that a holder of the key ring wrote it. */
const signatureSchema = z.strictObject({
  algorithm: z.literal('HMAC-SHA256'),
  keyId: z.string(),
  value: z.string(),
});

const objectSchema = z.strictObject({
  key: z.string(),
  bytes: count,
  /** Of the object as it lies in storage. */
  sha256,
  /** The key of the ring that its data key is wrapped by. */
  keyId: z.string(),
});

/** What was encrypted, before that. */
const contentSchema = z.strictObject({ bytes: count, sha256 });

const serverSchema = z.strictObject({
  /** As Postgres says it: `15.18`. */
  version: z.string(),
  /** Of the cluster, given to it when it was made: another server never has the same. */
  systemIdentifier: z.string(),
  timeline: count,
});

const roleSchema = z.strictObject({
  name: z.string(),
  superuser: z.boolean(),
  inherit: z.boolean(),
  createRole: z.boolean(),
  createDb: z.boolean(),
  canLogin: z.boolean(),
  replication: z.boolean(),
  bypassRls: z.boolean(),
  connectionLimit: z.number().int(),
  validUntil: z.string().nullable(),
  memberOf: z.array(z.string()).readonly(),
  /** `name=value`, of the role in every database or in this one. */
  settings: z.array(z.string()).readonly(),
});

const databaseSchema = z.strictObject({
  name: z.string(),
  owner: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** On disk, when the snapshot was taken. */
  bytes: count,
  /** `name=value`, of `alter database … set`. */
  settings: z.array(z.string()).readonly(),
  extensions: z.array(z.strictObject({ name: z.string(), version: z.string() })).readonly(),
});

const tableSchema = z.strictObject({
  /** With its schema: `public.devices`. */
  name: z.string(),
  rows: count,
  /** Sum of a 64-bit hash of each row as text: equal for the same rows in whatever order. */
  contentHash: z.string().regex(/^-?\d+$/),
});

const stepSchema = z.strictObject({ name: z.string(), seconds: z.number().min(0) });

const common = {
  v: z.literal(1),
  backupId: z.uuid(),
  runId: z.uuid(),
  workflowId: z.string(),
  /** Kind of deployment that made it. */
  deployment: z.enum(['development', 'staging', 'production']),
  /** What it holds is as of then. */
  takenAt: time,
  object: objectSchema,
  /** Versions of the programs that made it, by name. */
  tools: z.record(z.string(), z.string()),
  steps: z.array(stepSchema).readonly(),
  signature: signatureSchema,
};

export const dumpManifestSchema = z.strictObject({
  ...common,
  kind: z.literal('dump'),
  server: serverSchema,
  /** The dump as pg_dump wrote it (custom format, not compressed): what `zstd -d` gives. */
  dump: contentSchema,
  /** The same behind zstd: what decryption gives. */
  compressed: contentSchema,
  /** Where the server's log was when the snapshot was taken: everything before it is in the dump. */
  snapshotLsn: lsnSchema,
  database: databaseSchema,
  migrations: z.array(z.strictObject({ name: z.string(), checksum: z.string() })).readonly(),
  tables: z.array(tableSchema).readonly(),
  /** What a dump leaves out. */
  roles: z.array(roleSchema).readonly(),
  tablespaces: z.array(z.string()).readonly(),
  /** Of the server, where they are not its defaults: name and value; paths of files are not among them. */
  serverSettings: z.record(z.string(), z.string()),
});

export const baseManifestSchema = z.strictObject({
  ...common,
  kind: z.literal('base'),
  server: serverSchema,
  /** The tar archive as pg_basebackup wrote it: what `zstd -d` gives. */
  archive: contentSchema,
  /** The same behind zstd: what decryption gives. */
  compressed: contentSchema,
  /** A recovery needs the log from here … */
  startLsn: lsnSchema,
  /** … to here before the server is consistent. */
  stopLsn: lsnSchema,
  /** First file of the log that has to be kept for it. */
  startWalFile: z.string(),
  /** Of each file of the log, as `initdb` was told: 16 MiB unless it was told otherwise. */
  segmentBytes: z
    .number()
    .int()
    .min(1024 ** 2)
    .max(1024 ** 3),
  /** The role that the cluster was made with: one that recovery can log in as, whatever it is called. */
  superuser: z.string(),
});

/** Written once a broker was started on the copy. It holds no message and no name of a client. */
export const mqttManifestSchema = z.strictObject({
  ...common,
  kind: z.literal('mqtt'),
  /** Name of the broker. */
  broker: z.string(),
  /** The store as the broker wrote it: what decryption gives. */
  store: contentSchema,
  counts: z.strictObject({
    ...{ bytes: count, dbVersion: count, messages: count, retained: count, sessions: count, queued: count },
    ...{ subscriptions: count, unowned: count },
  }),
  /** What the broker that was started on it showed. */
  proof: z.strictObject({ retained: count, sessions: count, resumed: count, delivered: count }),
  provenAt: time,
});

export const manifestSchema = z.discriminatedUnion('kind', [
  dumpManifestSchema,
  baseManifestSchema,
  mqttManifestSchema,
]);

export type DumpManifest = z.infer<typeof dumpManifestSchema>;
export type BaseManifest = z.infer<typeof baseManifestSchema>;
export type MqttManifest = z.infer<typeof mqttManifestSchema>;
export type BackupManifest = z.infer<typeof manifestSchema>;
export type ManifestTable = z.infer<typeof tableSchema>;
export type ManifestRole = z.infer<typeof roleSchema>;
/** Before it is signed. */
export type Unsigned<Manifest> = Omit<Manifest, 'signature'>;
