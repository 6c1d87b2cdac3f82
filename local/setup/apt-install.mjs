import { existsSync, mkdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { run, tail } from './run.mjs';

// Debian starts what it installs. We only want the programs: no service of the packages may run, neither now (it would
// take 5432 and 1883) nor after the next boot.
const POLICY = '/usr/sbin/policy-rc.d';
const CLUSTER_FOLDER = '/etc/postgresql-common/createcluster.d';
const CLUSTER = `${CLUSTER_FOLDER}/derms-setup.conf`;
const SERVICES = ['postgresql', 'mosquitto', 'prometheus', 'prometheus-alertmanager', 'haproxy', 'pgbouncer'];

/** Installs packages as root; refreshes the package lists when they are absent or outdated. */
export async function aptInstall(packages, say) {
  const restore = forbidServices();
  try {
    say(`apt-get install ${packages.join(' ')}`);
    const first = await apt('install', ...packages);
    if (first.status === 0) return disableServices(packages);
    say('apt-get update');
    const update = await apt('update');
    say(`apt-get install ${packages.join(' ')}`);
    const second = await apt('install', ...packages);
    if (second.status === 0) return disableServices(packages);
    const reason = update.status === 0 ? '' : `apt-get update failed:\n${tail(update.output, 6)}\n`;
    throw new Error(`${reason}apt-get install ${packages.join(' ')} failed:\n${tail(second.output)}`);
  } finally {
    restore();
  }
}

function apt(command, ...packages) {
  const quiet = ['-y', '-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=2'];
  const options = command === 'install' ? ['--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold'] : [];
  return run('apt-get', [command, ...quiet, ...options, ...packages], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
}

/** Puts the two switches in place that Debian offers; a policy of the machine's owner is left as it is. */
function forbidServices() {
  const undo = [];
  if (!existsSync(POLICY)) {
    writeFileSync(POLICY, '#!/bin/sh\n# Of the DERMS set-up, while apt-get runs.\nexit 101\n', { mode: 0o755 });
    undo.push(() => rmSync(POLICY, { force: true }));
  }
  const madeFolder = mkdirSync(CLUSTER_FOLDER, { recursive: true });
  writeFileSync(CLUSTER, 'create_main_cluster = false\n');
  undo.push(() => {
    rmSync(CLUSTER, { force: true });
    if (madeFolder) removeIfEmpty(CLUSTER_FOLDER, '/etc/postgresql-common');
  });
  const restore = () => undo.splice(0).forEach((step) => step());
  process.once('exit', restore);
  return () => {
    process.removeListener('exit', restore);
    restore();
  };
}

function removeIfEmpty(...folders) {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // Not empty: the package put its own files there.
    }
  }
}

/** Keeps a service that we brought in from starting at the next boot. Without systemd there is nothing to do. */
async function disableServices(packages) {
  const names = packages.filter((name) => SERVICES.includes(name));
  if (names.length > 0) await run('systemctl', ['disable', '--quiet', ...names], { timeoutMs: 10_000 });
  return 'apt-get install';
}
