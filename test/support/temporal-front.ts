import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProgramFront } from '../../local/test-system';
import type { TestStack } from '../../local/test-stack';
import { startTemporalGateway, type TemporalGateway } from '../adapter/tls/temporal-gateway';
import { makeCertificateAuthority, writeAuthority, writePair } from './certificate-authority';

export interface TemporalFront extends ProgramFront {
  readonly gateway: TemporalGateway;
  /** File of the API key, for `TEMPORAL_API_KEY_FILE`. */
  readonly keyFile: string;
  /** Puts another client certificate and another key where our programs read them; whoever comes with the old ones is let in, too. */
  renew(commonName: string, apiKey: string): void;
}

/** The test system's Temporal as a cloud offers it: TLS, a client certificate and an API key are asked for. */
export async function startTemporalFront(
  { temporal, folder }: TestStack,
  { commonName, apiKey }: { commonName: string; apiKey: string },
): Promise<TemporalFront> {
  const authority = makeCertificateAuthority();
  const server = authority.issue({ names: ['temporal.test'], addresses: ['127.0.0.1'] });
  const gateway = await startTemporalGateway(temporal.address, { server, ca: authority.cert });
  gateway.apiKey = apiKey;
  const { certPath, keyPath } = writePair(folder, 'temporal-client', authority.issue({ commonName }));
  const keyFile = join(folder, 'temporal-api-key');
  writeFileSync(keyFile, apiKey, { mode: 0o600 });
  return {
    gateway,
    keyFile,
    env: {
      TEMPORAL_ADDRESS: gateway.address,
      TEMPORAL_TLS_ENABLED: 'true',
      TEMPORAL_TLS_CA_PATH: writeAuthority(folder, 'temporal-ca', authority),
      TEMPORAL_TLS_CERT_PATH: certPath,
      TEMPORAL_TLS_KEY_PATH: keyPath,
    },
    renew: (nextName, nextKey) => {
      gateway.apiKey = null;
      writePair(folder, 'temporal-client', authority.issue({ commonName: nextName }));
      writeFileSync(keyFile, nextKey);
    },
    stop: () => {
      gateway.close();
      return Promise.resolve();
    },
  };
}
