import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, LOOPBACK } from '../../servers/free-port';
import type { Environment } from '../environments';
import { repositoryRoot } from '../toolchain';
import { imageEnvironment, type Compose, type ComposeService } from './compose-file';

/** Variables that name a host and a port apart from each other, and the port where none is given. */
const HOST_AND_PORT = [
  ['DB_HOST', 'DB_PORT', '5432'],
  ['MQTT_HOST', 'MQTT_PORT', '1883'],
  ['MQTT_STANDBY_HOST', 'MQTT_STANDBY_PORT', undefined],
  ['POSTGRES_SEEDS', 'DB_PORT', '5432'],
  ['SQL_HOST', 'SQL_PORT', '5432'],
] as const;
const EVERYWHERE = /^(0\.0\.0\.0)?:(\d+)$/;
const OUR_IMAGES = /^derms\//;

/**
 * Where what docker-compose.yml names lies when it runs on this machine without containers: each of its hosts and ports at a port
 * of loopback, each of its volumes in a folder. What it says is else taken as it stands there.
 */
export class Ground {
  private readonly ports = new Map<string, number>();

  constructor(
    /** Everything of the run is below it. */
    readonly folder: string,
    private readonly compose: Compose,
    /** What `.env` says. */
    private readonly secrets: Environment,
  ) {}

  service(name: string): ComposeService {
    const service = this.compose.services[name];
    if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
    return service;
  }

  /** The port of 127.0.0.1 for `host:port` of docker-compose.yml; a free one the first time. */
  async place(address: string): Promise<number> {
    const port = this.ports.get(address) ?? (await freePort());
    this.ports.set(address, port);
    return port;
  }

  /** For what chooses its port by itself. */
  placeAt(address: string, port: number): void {
    this.ports.set(address, port);
  }

  port(address: string): number {
    const port = this.ports.get(address);
    if (port === undefined) throw new Error(`nothing is placed at ${address} of docker-compose.yml`);
    return port;
  }

  at(address: string): string {
    return `${LOOPBACK}:${String(this.port(address))}`;
  }

  /** An empty one. */
  workFolder(): string {
    const folder = join(this.folder, 'work');
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** What the service finds at a path of its container. */
  path(serviceName: string, inside: string): string {
    return this.withPaths(serviceName, inside);
  }

  /** A text with every path below a mount of the service replaced by where that lies here. */
  withPaths(serviceName: string, text: string): string {
    const mounts = (this.service(serviceName).volumes ?? [])
      .map((volume) => volume.split(':'))
      .sort(([, a = ''], [, b = '']) => b.length - a.length);
    return mounts.reduce(
      (changed, [source = '', target = '']) =>
        changed.replaceAll(new RegExp(`(^|[\\s"'=])${target}(?=$|[/\\s"'])`, 'gm'), `$1${this.sourceOf(source)}`),
      text,
    );
  }

  /** The whole environment that the service gets, image and `.env` included, for this machine. */
  environment(serviceName: string): Environment {
    const { image, environment = {} } = this.service(serviceName);
    const filled = Object.fromEntries(
      Object.entries({ ...(OUR_IMAGES.test(image) ? imageEnvironment() : {}), ...environment }).map(([name, value]) => [
        name,
        this.filled(value),
      ]),
    );
    const changed = Object.entries(filled).map(([name, value]) => [name, this.here(serviceName, value)]);
    return { ...(Object.fromEntries(changed) as Environment), ...this.hostsAndPorts(filled) };
  }

  /** The same before anything is placed: for what is drawn, and named by no host. */
  secretsOf(serviceName: string): Environment {
    const { environment = {} } = this.service(serviceName);
    return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, this.filled(value)]));
  }

  /** Its command line, program first, for this machine. */
  command(serviceName: string): readonly string[] {
    const { command = ['node', 'dist/api/main.js'] } = this.service(serviceName);
    const words = typeof command === 'string' ? command.split(' ') : command;
    return words.map((word) => this.here(serviceName, this.filled(word)));
  }

  private hostsAndPorts(environment: Environment): Environment {
    const placed = HOST_AND_PORT.flatMap(([host, port, standard]) => {
      const name = environment[host];
      if (name === undefined || !(name in this.compose.services)) return [];
      const inside = environment[port] ?? standard ?? environment['MQTT_PORT'] ?? '';
      return [
        [host, LOOPBACK],
        [port, String(this.port(`${name}:${inside}`))],
      ];
    });
    return Object.fromEntries(placed) as Environment;
  }

  private here(serviceName: string, value: string): string {
    if (value === '0.0.0.0') return LOOPBACK;
    const everywhere = EVERYWHERE.exec(value);
    if (everywhere) return this.at(`${serviceName}:${everywhere[2] ?? ''}`);
    const named = /^(\w+:\/\/)?([\w-]+):(\d+)$/.exec(value);
    if (named && (named[2] ?? '') in this.compose.services)
      return `${named[1] ?? ''}${this.at(`${named[2] ?? ''}:${named[3] ?? ''}`)}`;
    return this.withPaths(serviceName, value);
  }

  private filled(value: string): string {
    return value.replaceAll(/\$\{(\w+)(?::\?[^}]*)?\}/g, (_all, name: string) => {
      const secret = this.secrets[name];
      if (secret === undefined) throw new Error(`.env does not say ${name}`);
      return secret;
    });
  }

  /** Named volumes that `keys` fills lie where it puts them. */
  private sourceOf(source: string): string {
    if (source === './deploy/compose/keys') return join(this.folder, 'keys');
    if (source.startsWith('.')) return join(repositoryRoot(), source);
    const filled = this.service('keys').volumes?.find((volume) => volume.startsWith(`${source}:/out/`));
    return join(this.folder, filled === undefined ? join('volumes', source) : (filled.split(':')[1] ?? ''));
  }
}
