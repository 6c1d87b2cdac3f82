import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { transformFileSync } from '@swc/core';
import { removeDataFolder } from '../../servers/postgres-data';

const repository = join(__dirname, '..', '..');

/** A folder for one test, whose path is as unwieldy as a checkout's may be: deep, with spaces, quotes and accents. */
export function unwieldyFolder(): { readonly path: string; readonly remove: () => void } {
  const base = mkdtempSync(join(tmpdir(), 'derms-local-test-'));
  chmodSync(base, 0o711);
  const path = join(base, "Ann's énergie projects", ...Array.from({ length: 6 }, (_, i) => `level ${i} of the tree`));
  mkdirSync(path, { recursive: true });
  return {
    path,
    remove: () => {
      removeDataFolder(join(path, '.local', 'postgres'));
      rmSync(base, { recursive: true, force: true });
    },
  };
}

/**
 * A checkout that has our local stack as it is, and in place of the other programs the smallest that behave like them:
 * they answer their probes and end on SIGTERM, or not: `DERMS_TEST_STUBBORN` and `DERMS_TEST_SICK` name one that does
 * not stop and one that dies again and again.
 */
export function makeCheckout(root: string): void {
  for (const folder of ['local', 'servers', 'config']) compile(join(repository, folder), join(root, 'dist', folder));
  write(join(root, 'dist', 'db', 'migrate-main.js'), checksEnvironment('DB_ADMIN_PASSWORD', 'DB_PASSWORD'));
  write(join(root, 'dist', 'cli', 'main.js'), checksEnvironment('DERMS_API_URL', 'DERMS_USER', 'DERMS_PASSWORD'));
  write(join(root, 'dist', 'api', 'main.js'), answering('api', 'API_PORT'));
  write(join(root, 'dist', 'worker', 'main.js'), answering('worker', 'METRICS_PORT', 4));
  write(join(root, 'dist', 'simulator', 'main.js'), answering('simulator', 'METRICS_PORT'));
  write(join(root, 'deploy', 'registry', 'demo.yaml'), 'feeders:\n  - { feederId: feeder-a, importLimitKw: 90 }\n');
  mkdirSync(join(root, '.local'));
  cpSync(join(repository, '.local', 'toolchain.json'), join(root, '.local', 'toolchain.json'));
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
}

function compile(from: string, to: string): void {
  for (const name of readdirSync(from).filter((file) => file.endsWith('.ts'))) {
    const { code } = transformFileSync(join(from, name), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    write(join(to, name.replace(/\.ts$/, '.js')), code);
  }
}

const checksEnvironment = (...names: string[]): string =>
  `process.exit(${JSON.stringify(names)}.every((name) => process.env[name]) ? 0 : 1);`;

const answering = (program: string, portName: string, count = 1): string => `
  const { createServer } = require('node:http');
  for (let i = 0; i < ${count}; i += 1)
    createServer((_, response) => response.end('ready')).listen(Number(process.env.${portName}) + i, '127.0.0.1');
  process.on('SIGTERM', () => process.env.DERMS_TEST_STUBBORN === '${program}' || process.exit(0));
  if (process.env.DERMS_TEST_SICK === '${program}') setTimeout(() => process.exit(7), 300);`;

export function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
