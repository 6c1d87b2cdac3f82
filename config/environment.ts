import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'dotenv';

/** The environment over `.env`: the real one wins, also when it gives as a file what `.env` gives as a value. */
export function readEnvironment(environment: NodeJS.ProcessEnv, dotEnvPath: string): NodeJS.ProcessEnv {
  const written = existsSync(dotEnvPath) ? parse(readFileSync(dotEnvPath)) : {};
  const outdone = Object.keys(environment).map((name) => name.replace(/_FILE$/, ''));
  const left = Object.entries(written).filter(([name]) => !outdone.includes(name.replace(/_FILE$/, '')));
  return { ...Object.fromEntries(left), ...environment };
}

/** As Kubernetes mounts it, and as an editor leaves it: a line end at the end is no part of it. */
export const readSecretFile = (path: string): string => readFileSync(path, 'utf8').trimEnd();
