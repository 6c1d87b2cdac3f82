import { join } from 'node:path';
import { startChild, type ChildProcess } from '../../servers/child-process';
import { freePort, LOOPBACK } from '../../servers/free-port';
import { reach } from '../../servers/reach';
import { untilReady } from '../../servers/ready';
import { toolEnvironment } from '../../servers/tool';
import { readToolchain, repositoryRoot } from '../toolchain';

const READY_WITHIN_MS = 10_000;

export interface MqttFrontOptions {
  /** `host:port` of the two brokers. */
  readonly primary: string;
  readonly standby: string;
  /** How brokers with TLS are checked; see the configuration. Default: in plain. */
  readonly checkOptions?: string;
  readonly folder: string;
}

export interface MqttFront {
  readonly host: string;
  readonly port: number;
  readonly process: ChildProcess;
}

/** HAProxy before a pair of brokers, with the very configuration that `deploy/haproxy/mqtt.cfg` ships. */
export async function startMqttFront(options: MqttFrontOptions): Promise<MqttFront> {
  const tool = readToolchain().haproxy;
  if (tool === undefined) throw new Error('NOT RUN: HAProxy is not installed; node local/setup/setup.mjs --proofs');
  const port = await freePort();
  const child = await startChild({
    name: 'HAProxy',
    program: tool.path,
    args: ['-db', '-f', join(repositoryRoot(), 'deploy/haproxy/mqtt.cfg')],
    env: {
      ...toolEnvironment(tool),
      DERMS_MQTT_BIND: `${LOOPBACK}:${String(port)}`,
      DERMS_MQTT_PRIMARY: options.primary,
      DERMS_MQTT_STANDBY: options.standby,
      DERMS_MQTT_CHECK_OPTIONS: options.checkOptions ?? '',
    },
    logFile: join(options.folder, 'haproxy-mqtt.log'),
  });
  await untilReady(child, () => reach(port), { withinMs: READY_WITHIN_MS });
  return { host: LOOPBACK, port, process: child };
}
