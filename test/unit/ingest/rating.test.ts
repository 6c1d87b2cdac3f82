import { ratingOf } from '../../../ingest/rating';

describe('what a device says it can do', () => {
  it.each`
    capabilities                                          | maxImportKw | maxExportKw
    ${null}                                               | ${null}     | ${null}
    ${{}}                                                 | ${null}     | ${null}
    ${{ maxImportKw: 11 }}                                | ${11}       | ${null}
    ${{ maxExportKw: 8 }}                                 | ${null}     | ${8}
    ${{ maxChargeKw: 5, maxDischargeKw: 4 }}              | ${5}        | ${4}
    ${{ maxChargeKw: 5, maxImportKw: 9, maxExportKw: 0 }} | ${5}        | ${0}
    ${{ maxDischargeKw: 7, maxExportKw: 3 }}              | ${null}     | ${3}
  `('$capabilities rates it at $maxImportKw in and $maxExportKw out', ({ capabilities, maxImportKw, maxExportKw }) => {
    expect(ratingOf(capabilities)).toEqual({ maxImportKw, maxExportKw });
  });
});
