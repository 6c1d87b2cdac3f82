import { SECRET_SETTINGS, type SettingName } from './schema';
import { readEnvironment, readSecretFile } from './environment';

/** Shorter values would black out ordinary words. */
const SHORTEST_HIDDEN = 8;

/**
 * The secrets of one process as they are now: those that came from a file are read again whenever somebody asks, so that a
 * password can change under a running process. Knows every value it has seen, for the log to hide.
 */
export class Secrets {
  private readonly values = new Set<string>();
  private readonly environment: NodeJS.ProcessEnv;

  constructor(environment: NodeJS.ProcessEnv, dotEnvPath = '.env') {
    this.environment = readEnvironment(environment, dotEnvPath);
    for (const name of SECRET_SETTINGS) this.remember(this.environment[name] ?? this.fromFile(name));
  }

  /** Every value so far, whole and in its parts; grows when a file changes. */
  get seen(): ReadonlySet<string> {
    return this.values;
  }

  /** Returns what it is at the time of the call; a file that cannot be read just now leaves it as it was. */
  reader<Value extends string | undefined>(name: SettingName, first: Value): () => Value | string {
    let last: Value | string = first;
    if (this.environment[name] !== undefined) return () => last; // the environment of a process does not change
    return () => {
      const now = this.fromFile(name);
      if (now !== undefined && now !== '' && now !== last) {
        this.remember(now);
        last = now;
      }
      return last;
    };
  }

  private fromFile(name: SettingName): string | undefined {
    const path = this.environment[`${name}_FILE`];
    if (path === undefined) return undefined;
    try {
      return readSecretFile(path);
    } catch {
      return undefined; // told at the start; later it is in the midst of being replaced
    }
  }

  private remember(value: string | undefined): void {
    if (value === undefined) return;
    for (const part of [value, ...partsOf(value)]) {
      if (part.length >= SHORTEST_HIDDEN) this.values.add(part).add(JSON.stringify(part).slice(1, -1)); // as a log has it
    }
  }
}

/** Hashes in a list of users, keys of a ring, the password in an address. */
function partsOf(value: string): readonly string[] {
  const hashes = value.match(/scrypt[^"\s]+/g) ?? [];
  const keys = [...value.matchAll(/[\w-]+:([A-Za-z0-9+/]{43}=)/g)].map(([, key]) => key ?? '');
  const password = URL.canParse(value) ? new URL(value).password : '';
  return [...hashes, ...keys, password, decodeURIComponent(password)];
}
