import { parseRegistryFile, readRegistry } from '../../../contracts/registry-file';
import { DermsError } from '../../../domain/errors';

const FEEDER = { feederId: 'a', importLimitKw: 100, exportLimitKw: 50 };
const DEVICE = { deviceId: 'ev-1', deviceType: 'ev', feederId: 'a' };

describe('the registry file', () => {
  it('is YAML with the names of the database columns; what is left out stays left out', () => {
    const file = parseRegistryFile(`
feeders:
  - feederId: substation
    importLimitKw: 400
    exportLimitKw: 300
    intervalSeconds: 5
  - { feederId: oak-street, parentId: substation, name: Oak Street, importLimitKw: 100, exportLimitKw: 50, baseLoadKw: 12 }
devices:
  - deviceId: ev-1
    deviceType: ev
    feederId: oak-street
    maxImportKw: 11
    minImportKw: 1.4
    maxExportKw: null
simulation:
  anything: [the, simulator, knows]
`);

    expect(file).toEqual({
      feeders: [
        { feederId: 'substation', importLimitKw: 400, exportLimitKw: 300, intervalSeconds: 5 },
        {
          feederId: 'oak-street',
          parentId: 'substation',
          name: 'Oak Street',
          importLimitKw: 100,
          exportLimitKw: 50,
          baseLoadKw: 12,
        },
      ],
      devices: [
        {
          deviceId: 'ev-1',
          deviceType: 'ev',
          feederId: 'oak-street',
          maxImportKw: 11,
          minImportKw: 1.4,
          maxExportKw: null,
        },
      ],
      simulation: { anything: ['the', 'simulator', 'knows'] },
    });
  });

  it('needs no devices', () => {
    expect(readRegistry({ feeders: [FEEDER] })).toEqual({ feeders: [FEEDER], devices: [] });
  });

  it('knows every setting of a device', () => {
    const device = {
      ...DEVICE,
      name: 'Garage',
      sign: 'generator',
      maxImportKw: 11,
      maxExportKw: 0,
      minImportKw: 1.4,
      defaultPowerKw: -2,
      honoursExpiry: false,
      weight: 2,
      reserveSoc: 0.1,
      targetSoc: 0.8,
      scheduledPowerKw: -3,
      rampKwPerS: 0.5,
      enabled: false,
    };

    expect(readRegistry({ feeders: [FEEDER], devices: [device] }).devices).toEqual([device]);
  });
});

describe('a faulty registry file', () => {
  it.each`
    fault                            | change                                                                                | pointer                         | message
    ${'an unknown field'}            | ${{ feeders: [{ ...FEEDER, limitKw: 1 }] }}                                           | ${'/feeders/0/limitKw'}         | ${'is not a known field'}
    ${'an unknown part'}             | ${{ feeders: [], meters: [] }}                                                        | ${'/meters'}                    | ${'is not a known field'}
    ${'a missing limit'}             | ${{ feeders: [{ feederId: 'a', importLimitKw: 1 }] }}                                 | ${'/feeders/0/exportLimitKw'}   | ${'is required and missing'}
    ${'a limit with a sign'}         | ${{ feeders: [{ ...FEEDER, exportLimitKw: -1 }] }}                                    | ${'/feeders/0/exportLimitKw'}   | ${'Too small: expected number to be >=0'}
    ${'a limit without bound'}       | ${{ feeders: [{ ...FEEDER, exportLimitKw: Infinity }] }}                              | ${'/feeders/0/exportLimitKw'}   | ${'Invalid input: expected number, received Infinity'}
    ${'an interval of a second'}     | ${{ feeders: [{ ...FEEDER, intervalSeconds: 1 }] }}                                   | ${'/feeders/0/intervalSeconds'} | ${'Too small: expected number to be >=2'}
    ${'an id with a slash'}          | ${{ feeders: [{ ...FEEDER, feederId: 'a/b' }] }}                                      | ${'/feeders/0/feederId'}        | ${'is not an id: 1 to 128 of A-Z a-z 0-9 . _ : -'}
    ${'the same feeder twice'}       | ${{ feeders: [FEEDER, FEEDER] }}                                                      | ${'/feeders/1/feederId'}        | ${'"a" stands at /feeders/0 already'}
    ${'the same device twice'}       | ${{ devices: [DEVICE, DEVICE] }}                                                      | ${'/devices/1/deviceId'}        | ${'"ev-1" stands at /devices/0 already'}
    ${'an unknown parent'}           | ${{ feeders: [FEEDER, { ...FEEDER, feederId: 'b', parentId: 'c' }] }}                 | ${'/feeders/1/parentId'}        | ${'there is no feeder "c"'}
    ${'a feeder above itself'}       | ${{ feeders: [{ ...FEEDER, parentId: 'a' }] }}                                        | ${'/feeders/0/parentId'}        | ${'the feeders hang on each other: "a" → "a"'}
    ${'a mode below the root'}       | ${{ feeders: [FEEDER, { ...FEEDER, feederId: 'b', parentId: 'a', mode: 'manual' }] }} | ${'/feeders/1/mode'}            | ${'belongs to the root: one loop controls the whole tree'}
    ${'a device on no feeder'}       | ${{ devices: [{ ...DEVICE, feederId: 'b' }] }}                                        | ${'/devices/0/feederId'}        | ${'there is no feeder "b"'}
    ${'a device of no type'}         | ${{ devices: [{ ...DEVICE, deviceType: 'kettle' }] }}                                 | ${'/devices/0/deviceType'}      | ${'Invalid option: expected one of "pv"|"battery"|"ev"'}
    ${'a minimum above the maximum'} | ${{ devices: [{ ...DEVICE, minImportKw: 6, maxImportKw: 5 }] }}                       | ${'/devices/0/minImportKw'}     | ${'is more than maxImportKw'}
    ${'a reserve above the target'}  | ${{ devices: [{ ...DEVICE, reserveSoc: 0.9, targetSoc: 0.8 }] }}                      | ${'/devices/0/reserveSoc'}      | ${'is more than targetSoc'}
    ${'a ramp of nothing'}           | ${{ devices: [{ ...DEVICE, rampKwPerS: 0 }] }}                                        | ${'/devices/0/rampKwPerS'}      | ${'Too small: expected number to be >0'}
    ${'a list instead of an object'} | ${{ feeders: 3 }}                                                                     | ${'/feeders'}                   | ${'Invalid input: expected array, received number'}
  `('with $fault is refused at $pointer', ({ change, pointer, message }: Record<string, unknown>) => {
    const file = { feeders: [FEEDER], devices: [], ...(change as object) };

    expect(faultsOf(() => readRegistry(file))).toEqual([{ pointer, message }]);
  });

  it('has all its faults named at once, each with its line', () => {
    const text = `
feeders:
  - feederId: a
    importLimitKw: much
  - { feederId: b, parentId: c, importLimitKw: 1, exportLimitKw: 1 }
  - { feederId: c, parentId: b, importLimitKw: 1, exportLimitKw: 1, colour: red }
devices:
  - { deviceId: ev-1, deviceType: ev, feederId: d }
`;

    expect(faultsOf(() => parseRegistryFile(text))).toEqual([
      { pointer: '/feeders/0/importLimitKw', message: 'line 4: Invalid input: expected number, received string' },
      { pointer: '/feeders/0/exportLimitKw', message: 'line 3: is required and missing' },
      { pointer: '/feeders/2/colour', message: 'line 6: is not a known field' },
      { pointer: '/feeders/1/parentId', message: 'line 5: the feeders hang on each other: "b" → "c" → "b"' },
      { pointer: '/devices/0/feederId', message: 'line 8: there is no feeder "d"' },
    ]);
  });

  it.each([
    ['that is no YAML', 'feeders: [', /^line 1: /],
    ['that gives a name twice', 'feeders: []\nfeeders: []', /^line 2: Map keys must be unique/],
    ['that is empty', '', /expected object/],
  ])('%s is refused', (_what, text, message) => {
    expect(faultsOf(() => parseRegistryFile(text))).toEqual([
      { pointer: '', message: expect.stringMatching(message) as string },
    ]);
  });

  it('that would unfold into gigabytes is refused', () => {
    const layers = Array.from(
      { length: 9 },
      (_, n) => `l${String(n + 1)}: &l${String(n + 1)} [${`*l${String(n)},`.repeat(10)}]`,
    );

    expect(faultsOf(() => parseRegistryFile(`l0: &l0 [x]\n${layers.join('\n')}`))).toEqual([
      { pointer: '', message: 'Excessive alias count indicates a resource exhaustion attack' },
    ]);
  });
});

function faultsOf(read: () => unknown): unknown {
  try {
    read();
  } catch (error) {
    if (error instanceof DermsError && error.code === 'REGISTRY_INVALID') return error.faults;
    throw error;
  }
  throw new Error('the file was taken');
}
