/* global AbortController */
import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { run, tail } from './run.mjs';

const ANSWER_WITHIN_MS = 8_000;
const STALLED_AFTER_MS = 20_000;
const MIB = 1024 * 1024;

// SHA-256 of the release's archives. What does not match is not used.
const SHA256 = {
  '1.5.1/linux_amd64': 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
  '1.5.1/linux_arm64': 'bd1b0db9f18b051026de8bf6cc1505f2510f14bbb7a8b9a4a91fff46c77454f5',
  '1.5.1/darwin_amd64': 'bbb73e2a31135abe50a1f1cdb35030c42961df618e8ce9c60ae89f201540c5d9',
  '1.5.1/darwin_arm64': 'cca01b7ea35ad56e2a328d9ae596bf716bd22313ef63c7a761c88354457c2415',
};

/** Address of the official archive for this machine. */
export function archiveUrl(version) {
  return `https://github.com/temporalio/cli/releases/download/v${version}/temporal_cli_${version}_${platform()}.tar.gz`;
}

/** Fetches the official release into `target`; throws when it cannot be reached soon or its checksum differs. */
export async function downloadTemporal(version, target, say, url = archiveUrl(version)) {
  const expected = SHA256[`${version}/${platform()}`];
  if (!expected) throw new Error(`there is no official Temporal CLI ${version} for ${platform()}`);
  mkdirSync(dirname(target), { recursive: true });
  const work = mkdtempSync(join(dirname(target), '.download-'));
  try {
    const archive = join(work, 'archive.tar.gz');
    say('downloading the release');
    const actual = await fetchTo(url, archive, (mib) => say(`downloading, ${mib} MiB`));
    if (actual !== expected)
      throw new Error(`the Temporal CLI from ${url} has SHA-256 ${actual}, not ${expected}: refused`);
    const unpacked = await run('tar', ['-xzf', archive, '-C', work, 'temporal']);
    if (unpacked.status !== 0) throw new Error(`tar failed:\n${tail(unpacked.output)}`);
    renameSync(join(work, 'temporal'), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return 'official release';
}

/** Streams an address into a file and returns its SHA-256 in hex. Gives up when nothing comes for a while. */
async function fetchTo(url, file, onProgress) {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), ANSWER_WITHIN_MS);
  try {
    const answer = await fetch(url, { signal: abort.signal });
    if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status}`);
    const hash = createHash('sha256');
    const out = createWriteStream(file);
    let bytes = 0;
    for await (const chunk of answer.body) {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), STALLED_AFTER_MS);
      hash.update(chunk);
      bytes += chunk.length;
      if (!out.write(chunk)) await new Promise((drained) => out.once('drain', drained));
      onProgress(Math.floor(bytes / MIB));
    }
    out.end();
    await finished(out);
    return hash.digest('hex');
  } catch (error) {
    const reason = abort.signal.aborted ? 'no answer in time' : (error.cause?.message ?? error.message);
    throw new Error(`${url} cannot be downloaded: ${reason}`);
  } finally {
    clearTimeout(timer);
  }
}

function platform() {
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch;
  return `${process.platform}_${arch}`;
}
