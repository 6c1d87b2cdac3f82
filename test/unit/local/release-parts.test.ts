import { apiFaults } from '../../../local/release/api-changes';
import { changelogFault } from '../../../local/release/changelog';
import { exitCodeOf, judge, type Look } from '../../../local/release/check';
import { images } from '../../../local/release/images';
import { sbomFaults, shippedOnly, type Lockfile, type Sbom } from '../../../local/release/sbom';

describe('the changelog', () => {
  it.each`
    text                                                    | fault
    ${'# Changelog\n\n## 1.2.0\n\n- A line.\n\n## 1.1.0\n'} | ${null}
    ${'# Changelog\n\n## 1.2.0 (2026-12-01)\n\n- A line.'}  | ${null}
    ${'# Changelog\n\n## Unreleased\n\n- A line.\n'}        | ${'its newest heading is "Unreleased" and not "1.2.0"'}
    ${'# Changelog\n\n## 1.2.01\n\n- A line.\n'}            | ${'its newest heading is "1.2.01" and not "1.2.0"'}
    ${'# Changelog\n\n## 1.2.0\n\n## 1.1.0\n\n- A line.\n'} | ${'it says nothing under "1.2.0"'}
    ${'# Changelog\n'}                                      | ${'its newest heading is "" and not "1.2.0"'}
  `('$text', ({ text, fault }: { text: string; fault: string | null }) => {
    expect(changelogFault(text, '1.2.0')).toBe(fault);
  });
});

it('images of another version are named', () => {
  const files = [
    ['a.yaml', 'image: derms/app:1.2.0\nimage: derms/ops:1.1.0'],
    ['Dockerfile', 'ARG VERSION=1.2.0'],
  ] as const;
  expect(images(files, '1.2.0')).toEqual({ said: '3 places name 1.2.0', faults: ['a.yaml: derms/ops:1.1.0'] });
});

describe('the list of packages', () => {
  const sha512 = Buffer.alloc(64, 7);
  const component = {
    'bom-ref': 'door@1.0.0',
    name: 'door',
    version: '1.0.0',
    purl: 'pkg:npm/door@1.0.0',
    hashes: [{ alg: 'SHA-512', content: sha512.toString('hex') }],
    licenses: [{}],
  };
  const sbom: Sbom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    metadata: { component: { name: 'ours', version: '1.2.0' } },
    components: [component],
    dependencies: [{ ref: 'ours@1.2.0', dependsOn: ['door@1.0.0'] }],
  };
  const integrity = `sha512-${sha512.toString('base64')}`;
  const lock: Lockfile = {
    name: 'ours',
    version: '1.2.0',
    packages: {
      '': { version: '1.2.0' },
      'node_modules/door': { version: '1.0.0', integrity },
      'node_modules/tool': { version: '1.0.0', dev: true },
    },
  };
  const withPackage = (path: string, version: string): Lockfile => ({
    ...lock,
    packages: { ...lock.packages, [path]: { version, integrity } },
  });

  it('is sound when it tells of each that is shipped', () => {
    expect(sbomFaults(sbom, lock)).toEqual([]);
  });

  it('is cut down to what is shipped, and called by our name', () => {
    const tool = { ...component, 'bom-ref': 'tool@1.0.0', name: 'tool' };
    const all: Sbom = {
      ...sbom,
      metadata: { component: { name: 'checkout', version: '1.2.0' } },
      components: [component, tool],
      dependencies: [{ ref: 'ours@1.2.0', dependsOn: ['door@1.0.0', 'tool@1.0.0'] }, { ref: 'tool@1.0.0' }],
    };
    expect(shippedOnly(all, lock)).toEqual(sbom);
  });

  it.each<[string, Sbom, Lockfile, string]>([
    [
      'one is left out',
      sbom,
      withPackage('node_modules/a/node_modules/@b/c', '2.0.0'),
      '@b/c@2.0.0 is shipped and not described',
    ],
    [
      'one is too many',
      { ...sbom, components: [component, { ...component, 'bom-ref': 'x@1', name: 'x', version: '1' }] },
      lock,
      'x@1 is described and not shipped',
    ],
    [
      'a hash is another',
      { ...sbom, components: [{ ...component, hashes: [{ alg: 'SHA-512', content: 'ab' }] }] },
      lock,
      'door@1.0.0 has another hash',
    ],
    [
      'it is of another version',
      { ...sbom, metadata: { component: { name: 'ours', version: '1.1.0' } } },
      lock,
      'it is of ours@1.1.0',
    ],
    [
      'it leads nowhere',
      { ...sbom, dependencies: [{ ref: 'gone@1' }] },
      lock,
      'gone@1 is depended on and not described',
    ],
    ['it is something else', { ...sbom, bomFormat: 'SPDX' }, lock, 'it is no CycloneDX'],
  ])('has a fault when %s', (_when, made, of, fault) => {
    expect(sbomFaults(made, of)).toContainEqual(expect.stringContaining(fault));
  });
});

describe('a change of the API that breaks callers', () => {
  const line =
    'error at docs/openapi.json, in API GET /api/runs/{id} removed the success response [response-gone]. More.';
  const key = 'GET /api/runs/{id} response-gone';
  it.each`
    when                       | told    | list                                   | faults
    ${'nothing is found'}      | ${''}   | ${''}                                  | ${[]}
    ${'it is not meant'}       | ${line} | ${'# GET /api/runs/{id}'}              | ${[line]}
    ${'it is meant'}           | ${line} | ${`# why\n${key}: nobody asks for it`} | ${[]}
    ${'its reason is missing'} | ${line} | ${`${key}:`}                           | ${[line, `said to be meant, and not found: ${key}:`]}
    ${'it is not there'}       | ${''}   | ${`${key}: nobody asks for it`}        | ${[`said to be meant, and not found: ${key}`]}
  `('when $when', ({ told, list, faults }: { told: string; list: string; faults: string[] }) => {
    expect(apiFaults(told, list)).toEqual(faults);
  });
});

describe('the verdict', () => {
  const well: Look = { said: '', faults: [] };
  it.each<[string, (() => Look)[], number, number]>([
    ['0 when all is well', [() => well], 0, 0],
    ['1 with a fault', [() => well, () => ({ said: '', faults: ['a'] })], 1, 1],
    ['3 when something was not checked, unless that is enough', [() => ({ ...well, notChecked: true })], 3, 0],
    [
      '1 when a check breaks, and the next one is made all the same',
      [
        () => {
          throw new Error('no');
        },
        () => well,
      ],
      ...([1, 1] as const),
    ],
  ])('is %s', async (_what, looks, code, orSaySo) => {
    const told: string[] = [];
    const all = await judge(
      looks.map((look, index) => ({ name: String(index), look })),
      ({ name }) => told.push(name),
    );
    expect(told).toEqual(looks.map((_, index) => String(index)));
    expect([exitCodeOf(all, false), exitCodeOf(all, true)]).toEqual([code, orSaySo]);
  });
});
