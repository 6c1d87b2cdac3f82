/**
 * How late timers of this process are, ms in all: where a test attacks and looks on in one process, the looking is late by
 * that much, and nobody else.
 */
export function lateness(): { stop(): number } {
  const everyMs = 10;
  let expectedAt = performance.now() + everyMs;
  let lateMs = 0;
  const timer = setInterval(() => {
    lateMs += Math.max(0, performance.now() - expectedAt);
    expectedAt = performance.now() + everyMs;
  }, everyMs);
  return {
    stop: () => {
      clearInterval(timer);
      return lateMs + Math.max(0, performance.now() - expectedAt);
    },
  };
}
