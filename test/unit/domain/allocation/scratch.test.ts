import { LevelCurves } from '../../../../domain/allocation/level-curves';
import { solveLevels } from '../../../../domain/allocation/level-solver';
it('speed', () => {
  for (const n of [1000, 10000, 100000, 100000]) {
    const nodes = 1 + 10 + 50 + 200;
    const parentOf = new Int32Array(nodes);
    parentOf[0] = -1;
    for (let i = 1; i <= 10; i++) parentOf[i] = 0;
    for (let i = 11; i <= 60; i++) parentOf[i] = 1 + (i % 10);
    for (let i = 61; i < nodes; i++) parentOf[i] = 11 + (i % 50);
    let seed = 1;
    const rnd = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const c = new LevelCurves();
    const t0 = performance.now();
    for (let d = 0; d < n; d++) {
      const a = 5 + rnd() * 20;
      const w = 1 + Math.floor(rnd() * 3);
      c.device(61 + (d % 200))
        .point(-1, 0)
        .point(-1 + a / w / 25, a)
        .point(1, a)
        .point(1 + rnd(), a + 5);
    }
    const sum = n * 15;
    const hi = new Float64Array(nodes).fill(Infinity);
    const lo = new Float64Array(nodes).fill(-Infinity);
    hi[0] = sum * 0.5;
    lo[0] = 0;
    for (let i = 1; i <= 10; i++) hi[i] = (sum / 10) * (0.4 + 0.3 * rnd());
    for (let i = 11; i <= 60; i++) hi[i] = (sum / 50) * (0.4 + 0.3 * rnd());
    for (let i = 61; i < nodes; i++) hi[i] = (sum / 200) * (0.4 + 0.3 * rnd());
    const t1 = performance.now();
    const s = solveLevels({ parentOf, roomHighKw: hi, roomLowKw: lo, curves: c });
    const t2 = performance.now();
    const total = s.deviceKw.reduce((x, y) => x + y, 0);
    console.log(n, (t1 - t0).toFixed(1), (t2 - t1).toFixed(1), total, hi[0]);
  }
});
