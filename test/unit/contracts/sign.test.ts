import { turned } from '../../../contracts/sign';

describe('the sign of power', () => {
  it.each`
    deviceType   | sign           | wireKw | insideKw
    ${'pv'}      | ${null}        | ${40}  | ${-40}
    ${'pv'}      | ${'generator'} | ${40}  | ${-40}
    ${'pv'}      | ${'load'}      | ${-40} | ${-40}
    ${'battery'} | ${null}        | ${5}   | ${5}
    ${'battery'} | ${'generator'} | ${5}   | ${-5}
    ${'ev'}      | ${null}        | ${11}  | ${11}
  `('a $deviceType with sign $sign that says $wireKw draws $insideKw', ({ deviceType, sign, wireKw, insideKw }) => {
    expect(turned(wireKw, deviceType, sign)).toBe(insideKw);
  });

  it('turns nothing into nothing, never into minus nothing', () => {
    expect(Object.is(turned(0, 'pv', null), 0)).toBe(true);
  });
});
