import { composeGo, kubeScore, kustomize, pythonChecks } from './deploy-checks.mjs';
import { npmPackages } from './npm-packages.mjs';
import { oasdiff } from './oasdiff.mjs';
import { postgresTools } from './postgres-tools.mjs';
import { schemathesis } from './schemathesis.mjs';
import {
  alertmanager,
  amtool,
  chromium,
  haproxy,
  mosquitto,
  pgbouncer,
  prometheus,
  promtool,
  zstd,
} from './single-programs.mjs';
import { temporalCli } from './temporal-cli.mjs';
import { temporalServer } from './temporal-server.mjs';
import { versitygw } from './versitygw.mjs';

/** What the project needs on a machine, in the order of the table. Those with a `key` are in `toolchain.json`. */
export const components = [npmPackages, postgresTools, mosquitto, zstd, temporalCli];

/** What `npm run test:proofs` needs besides. Where one cannot be had, its proofs fail and say so; the others run. */
export const proofComponents = [
  versitygw,
  promtool,
  prometheus,
  alertmanager,
  amtool,
  oasdiff,
  haproxy,
  pgbouncer,
  schemathesis,
  chromium,
  kustomize,
  composeGo,
  kubeScore,
  pythonChecks,
];

/** What `npm run stack:production-shape` needs besides: the server of production takes minutes to build, and nothing else uses it. */
export const shapeComponents = [temporalServer, versitygw, prometheus, alertmanager, haproxy, pgbouncer];

/** One line of the table: what, version, where from, and how it came. */
export function tableLine(name, found, how) {
  if (!found) return `✗ ${name.padEnd(13)} ${how}`;
  return `✓ ${name.padEnd(13)} ${found.version.padEnd(14)} ${found.from.padEnd(30)} ${how}`;
}

/** What to type for everything that is missing, all at once. */
export function whatToType(missing) {
  const lines = missing.flatMap(({ component, reason }) => [
    `  ${component.name}${reason ? `: ${reason.split('\n').join('\n    ')}` : ''}`,
    ...component.help().map((line) => `    → ${line}`),
  ]);
  return ['', 'Missing, and what to type:', ...lines].join('\n');
}
