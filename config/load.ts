import { readEnvironment, readSecretFile } from './environment';
import { SECRET_SETTINGS, settings, settingsSchema, type SettingName, type Settings } from './schema';
import { transportFaults } from './transport';

/** A bad environment; the message names every fault at once and never a secret's value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/**
 * Reads the environment over `.env` (the real environment wins) and secrets from `NAME_FILE`, once, and freezes it.
 *
 * @throws {ConfigurationError} naming every missing or malformed setting.
 */
export function loadSettings(environment: NodeJS.ProcessEnv, dotEnvPath = '.env'): Settings {
  return loadSomeSettings(Object.keys(settings) as SettingName[], environment, dotEnvPath); // its own keys
}

/**
 * The same for a process that needs only some of them: what it does not name is neither read nor required, so that a
 * simulated device, say, never asks for the database's password.
 *
 * @throws {ConfigurationError} naming every missing or malformed one of them.
 */
export function loadSomeSettings<Name extends SettingName>(
  names: readonly Name[],
  environment: NodeJS.ProcessEnv,
  dotEnvPath = '.env',
): Pick<Settings, Name> {
  const merged = readEnvironment(environment, dotEnvPath);
  const faults: string[] = [];
  const given: Record<string, string> = {};
  for (const name of names) {
    const value = merged[name] ?? secretFromFile(name, merged, faults);
    if (value !== undefined && value !== '') given[name] = value;
  }
  const wanted = Object.fromEntries(names.map((name) => [name, true] as const));
  const result = settingsSchema.pick(wanted as Record<SettingName, true>).safeParse(given); // zod's type asks for all names
  if (!result.success) {
    for (const issue of result.error.issues) faults.push(`${issue.path.join('.')}: ${describeIssue(issue, given)}`);
  } else faults.push(...transportFaults(result.data, merged));
  if (faults.length > 0 || !result.success) {
    throw new ConfigurationError(
      `The environment is not usable:\n  ${faults.join('\n  ')}\nSee docs/configuration.md.`,
    );
  }
  return Object.freeze(result.data);
}

function secretFromFile(
  name: string,
  merged: Record<string, string | undefined>,
  faults: string[],
): string | undefined {
  const path = merged[`${name}_FILE`];
  if (path === undefined || !(SECRET_SETTINGS as readonly string[]).includes(name)) return undefined;
  try {
    return readSecretFile(path);
  } catch (error) {
    faults.push(`${name}_FILE: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

const describeIssue = (issue: { path: PropertyKey[]; message: string }, given: Record<string, string>): string =>
  given[String(issue.path[0])] === undefined ? 'is required and missing' : issue.message;
