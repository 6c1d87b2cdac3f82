import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type ChildProcess, type StartOptions } from '../servers/child-process';
import { freePort, LOOPBACK, requireFree } from '../servers/free-port';
import { untilReady } from '../servers/ready';
import { toolEnvironment, type Tool } from '../servers/tool';
import { readToolchain } from './toolchain';

export interface VersitygwOptions extends StartOptions {
  /** Holds the buckets (`data`), and the old versions of their objects (`versions`); made when absent. */
  readonly folder: string;
  /** Exactly this port; a free one when left out. */
  readonly port?: number;
  /** Of its one user; drawn when left out. One that comes back has to have the same. */
  readonly secretAccessKey?: string;
  /** Users beside that one, with their secrets: they may do what the policy of a bucket lets them. */
  readonly users?: Readonly<Record<string, string>>;
  readonly tool?: Tool;
}

/**
 * A running S3 server on 127.0.0.1, with versions, object lock and policies of buckets, without lifecycle rules, default
 * encryption and the block of public access. It has no bucket yet.
 */
export interface VersitygwServer extends ChildProcess {
  readonly endpoint: string;
  /** Of its one user, who may do everything. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const READY_WITHIN_MS = 15_000;
const ACCESS_KEY_ID = 'derms';

/** Starts a server as a direct child of ours and returns when it answers. Its log is `<folder>.log` by default. */
export async function startVersitygw(options: VersitygwOptions): Promise<VersitygwServer> {
  const { folder } = options;
  const tool = options.tool ?? requireVersitygw();
  const port = options.port ?? (await freePort());
  await requireFree(port);
  const data = join(folder, 'data');
  const versions = join(folder, 'versions');
  for (const path of [data, versions]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const iam = options.users === undefined ? [] : ['--iam-dir', writeUsers(join(folder, 'iam'), options.users)];
  const secretAccessKey = options.secretAccessKey ?? randomBytes(18).toString('base64url');
  const endpoint = `http://${LOOPBACK}:${String(port)}`;
  const child = await startChild({
    name: 'versitygw',
    program: tool.path,
    args: ['--port', `${LOOPBACK}:${String(port)}`, ...iam, 'posix', '--versioning-dir', versions, data],
    env: { ...toolEnvironment(tool), ROOT_ACCESS_KEY: ACCESS_KEY_ID, ROOT_SECRET_KEY: secretAccessKey },
    logFile: options.logFile ?? `${folder}.log`,
  });
  await untilReady(child, () => answers(endpoint), { ...options, withinMs: READY_WITHIN_MS });
  return { ...child, endpoint, accessKeyId: ACCESS_KEY_ID, secretAccessKey };
}

function writeUsers(folder: string, users: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const accessAccounts = Object.fromEntries(
    Object.entries(users).map(([access, secret]) => [access, { access, secret, role: 'user' }]),
  );
  writeFileSync(join(folder, 'users.json'), JSON.stringify({ accessAccounts }), { mode: 0o600 });
  return folder;
}

/** Proofs without it have not run, and say so rather than pass. */
function requireVersitygw(): Tool {
  const { versitygw } = readToolchain();
  if (versitygw !== undefined) return versitygw;
  throw new Error(
    'NOT RUN: this proof needs versitygw, an S3 server. `node local/setup/setup.mjs --proofs` builds it with Go, or says what to type',
  );
}

/** Any answer of HTTP will do: without a signature it is a refusal. */
async function answers(endpoint: string): Promise<void> {
  const answer = await fetch(endpoint, { signal: AbortSignal.timeout(2_000) });
  await answer.arrayBuffer();
}
