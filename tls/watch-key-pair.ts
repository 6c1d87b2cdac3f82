import { readKeyPair, type KeyPair, type KeyPairPaths } from './key-pair';

export interface KeyPairWatch {
  readonly onRenewed: (pair: KeyPair) => void;
  /** What lies on disk cannot be used, and the pair from before stays; told once for each fault. */
  readonly onBroken: (error: unknown) => void;
  /** Default 5 s. */
  readonly everyMs?: number;
}

const EVERY_MS = 5_000;

/**
 * Looks at what the files hold, each so often. Kubernetes renews a mounted secret by swapping a symbolic link above the
 * files, which a watch on the files themselves never sees; reading them sees every way of replacing them.
 */
export function watchKeyPair(paths: KeyPairPaths, first: KeyPair, watch: KeyPairWatch): { stop: () => void } {
  let inForce = first;
  let told: string | null = null;
  const look = (): void => {
    try {
      const pair = readKeyPair(paths);
      told = null;
      if (pair.cert.equals(inForce.cert) && pair.key.equals(inForce.key)) return;
      watch.onRenewed(pair);
      inForce = pair;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== told) watch.onBroken(error);
      told = message;
    }
  };
  const timer = setInterval(look, watch.everyMs ?? EVERY_MS);
  timer.unref();
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}
