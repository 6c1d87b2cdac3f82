import { decrypt } from '../storage/encryption/decrypt';
import { faultOf, measuredFaults, signatureFaults, timed, verdictOf, type BackupVerdict } from './verdict';
import type { BackupVault } from './vault';
import { readManifest } from './manifest';
import type { BackupManifest, DumpManifest } from './manifest-schema';
import { Measure } from './measured';
import { bareEnvironment, postgresTool, silenceOf, type BackupPrograms } from './postgres/programs';
import { programText, runProgram, streamProgram } from './run-program';
import { DermsError } from '../domain/errors';

export interface VerifyPorts extends BackupVault {
  readonly programs: BackupPrograms;
}

/** What was seen of a stored dump; JSON-safe. */
export interface DumpVerdict extends BackupVerdict {
  readonly manifest: DumpManifest | null;
  readonly seconds: { readonly decode: number; readonly list: number };
}

/**
 * Proves that a stored dump can be read to its end: signature of the manifest, then the object fetched back, its sha256,
 * decryption, `zstd -d`, a full decode by pg_restore, the sha256 of the dump, and every table of the manifest in its table
 * of contents. That table alone says nothing: it is at the beginning, and is whole in a dump that was cut in half.
 *
 * @throws what keeps it from being looked at (storage that does not answer, cancellation): that is no verdict.
 */
export async function verifyDump(
  ports: VerifyPorts,
  key: string,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress?: (bytes: number) => void },
): Promise<DumpVerdict> {
  let manifest: DumpManifest | null = null;
  const seconds = { decode: 0, list: 0 };
  const faults: string[] = [];
  try {
    manifest = dumpOnly(await readManifest(ports.storage, key, { signal }), key);
    faults.push(...signatureFaults(ports.keyRing, manifest));
    faults.push(
      ...(await timed(seconds, 'decode', () => decodeFaults(ports, manifest as DumpManifest, signal, onProgress))),
    );
    faults.push(...(await timed(seconds, 'list', () => contentsFaults(ports, manifest as DumpManifest, signal))));
  } catch (error) {
    signal.throwIfAborted();
    faults.push(faultOf(error));
  }
  return { verdict: verdictOf(faults), faults, manifest, seconds };
}

function dumpOnly(manifest: BackupManifest, key: string): DumpManifest {
  if (manifest.kind === 'dump') return manifest;
  throw new DermsError('BACKUP_UNREADABLE', `${key} is a ${manifest.kind}, not a dump`);
}

async function decodeFaults(
  ports: VerifyPorts,
  manifest: DumpManifest,
  signal: AbortSignal,
  onProgress?: (bytes: number) => void,
): Promise<string[]> {
  const object = new Measure();
  const dump = new Measure();
  const decoded = (until: AbortSignal): AsyncIterable<Uint8Array> =>
    dump.of(dumpOf(ports, manifest, until, (source) => object.of(source, onProgress)));
  // The format has an end that pg_restore looks for; it reads all there is on its way.
  await runProgram({
    ...restoreProgram(ports),
    args: ['-f', '/dev/null'],
    input: decoded,
    drainsInput: true,
    signal,
  });
  return [
    ...measuredFaults('the stored object', object.end(), manifest.object),
    ...measuredFaults('the dump', dump.end(), manifest.dump),
  ];
}

async function contentsFaults(ports: VerifyPorts, manifest: DumpManifest, signal: AbortSignal): Promise<string[]> {
  const contents = await programText({
    ...restoreProgram(ports),
    args: ['--list'],
    input: (until) => dumpOf(ports, manifest, until),
    signal,
  });
  const listed = new Set(
    [...contents.matchAll(/^\d+; \d+ \d+ TABLE DATA (\S+) (.+) \S+$/gm)].map(
      ([, schema, table]) => `${String(schema)}.${String(table)}`,
    ),
  );
  return manifest.tables
    .filter(({ name }) => !listed.has(name))
    .map(({ name }) => `the dump has no data of table ${name}`);
}

/** The dump as pg_dump wrote it, from storage. */
export async function* dumpOf(
  { storage, keyRing, programs }: VerifyPorts,
  { object: { key } }: DumpManifest,
  signal: AbortSignal,
  watch: (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> = (source) => source,
): AsyncGenerator<Uint8Array> {
  const fetched = async function* (until: AbortSignal): AsyncGenerator<Uint8Array> {
    yield* decrypt(watch(await storage.get(key, { signal: until })), keyRing, key);
  };
  yield* streamProgram({
    program: programs.zstd.path,
    args: ['-d', '-q', '-c'],
    env: bareEnvironment(programs.zstd),
    input: fetched,
    silence: silenceOf(programs),
    signal,
  });
}

const restoreProgram = ({ programs }: VerifyPorts) => ({
  program: postgresTool(programs.postgres, 'pg_restore').path,
  env: bareEnvironment(programs.postgres),
  silence: silenceOf(programs),
});
