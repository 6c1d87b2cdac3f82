import { execFileSync } from 'node:child_process';

/** What of CycloneDX we look at. */
export interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } };
  readonly components: readonly {
    readonly 'bom-ref': string;
    readonly name: string;
    readonly version: string;
    readonly purl?: string;
    readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
    readonly licenses?: readonly unknown[];
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

/** What of package-lock.json. */
export interface Lockfile {
  readonly name: string;
  readonly version: string;
  readonly packages: Readonly<
    Record<
      string,
      { readonly version?: string; readonly dev?: boolean; readonly devOptional?: boolean; readonly integrity?: string }
    >
  >;
}

/** The packages that we ship, as npm writes them down from package-lock.json; asks no registry. */
export function makeSbom(root: string, lock: Lockfile): Sbom {
  const made = execFileSync(
    'npm',
    ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'],
    { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 },
  );
  return shippedOnly(JSON.parse(made) as Sbom, lock); // npm's
}

/**
 * npm's own `--omit dev` leaves out a package that is of development and of production at once (@swc/core, which Temporal's
 * worker brings), with all below it; and npm calls the whole after the folder of the checkout.
 */
export function shippedOnly(sbom: Sbom, lock: Lockfile): Sbom {
  const shipped = new Set(shippedPackages(lock).map(({ id }) => id));
  const components = sbom.components.filter(({ name, version }) => shipped.has(`${name}@${version}`));
  const kept = new Set([...components.map((each) => each['bom-ref']), `${lock.name}@${lock.version}`]);
  return {
    ...sbom,
    metadata: { ...sbom.metadata, component: { ...sbom.metadata.component, name: lock.name } },
    components,
    dependencies: sbom.dependencies
      .filter(({ ref }) => kept.has(ref))
      .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.has(each)) })),
  };
}

function shippedPackages(lock: Lockfile): { id: string; sha512: string }[] {
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path, { version = '', integrity = '' }]) => ({
      id: `${path.replace(/^.*node_modules\//, '')}@${version}`,
      sha512: Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex'),
    }));
}

const HEX_SHA512 = /^[0-9a-f]{128}$/;

/** Whether it is well formed, and tells of each shipped package once, with the lockfile's version and hash. */
export function sbomFaults(sbom: Sbom, lock: Lockfile): string[] {
  const { component } = sbom.metadata;
  const refs = new Set(sbom.components.map((each) => each['bom-ref']));
  const shipped = shippedPackages(lock);
  const described = new Map(sbom.components.map((each) => [`${each.name}@${each.version}`, each]));
  return [
    ...(sbom.bomFormat === 'CycloneDX' && /^1\.[4-9]$/.test(sbom.specVersion)
      ? []
      : ['it is no CycloneDX 1.4 or newer']),
    ...(component.name === lock.name && component.version === lock.version
      ? []
      : [`it is of ${component.name}@${component.version} and not of ${lock.name}@${lock.version}`]),
    ...(refs.size === sbom.components.length ? [] : ['two components have one bom-ref']),
    ...shipped.filter(({ id }) => !described.has(id)).map(({ id }) => `${id} is shipped and not described`),
    ...sbom.components
      .filter((each) => !shipped.some(({ id }) => id === `${each.name}@${each.version}`))
      .map((each) => `${each['bom-ref']} is described and not shipped`),
    ...shipped.flatMap(({ id, sha512 }) => {
      const found = described.get(id)?.hashes?.find(({ alg }) => alg === 'SHA-512')?.content;
      return found === undefined || (HEX_SHA512.test(found) && found === sha512)
        ? []
        : [`${id} has another hash than the lockfile`];
    }),
    ...sbom.components
      .filter(({ purl }) => !purl?.startsWith('pkg:npm/'))
      .map((each) => `${each['bom-ref']} has no purl`),
    ...sbom.dependencies
      .flatMap(({ ref, dependsOn = [] }) => [ref, ...dependsOn])
      .filter((ref) => !refs.has(ref) && ref !== `${lock.name}@${lock.version}`)
      .map((ref) => `${ref} is depended on and not described`),
  ];
}
