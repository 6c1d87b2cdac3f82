import {
  startMosquitto as startWith,
  type MosquittoBroker,
  type MosquittoOptions as Options,
} from '../servers/mosquitto';
import type { Tool } from '../servers/tool';
import { readToolchain } from './toolchain';

export interface MosquittoOptions extends Omit<Options, 'tool'> {
  /** Default: the one that the set-up found. */
  readonly tool?: Tool;
}

/** Starts a broker as a direct child of ours and returns when it accepts clients. Its log is `<dataDir>.log` by default. */
export function startMosquitto(options: MosquittoOptions): Promise<MosquittoBroker> {
  return startWith({ ...options, tool: options.tool ?? readToolchain().mosquitto });
}
