/** Every export is a workflow type. */
export { controlLoop } from './control-loop';
export { dispatch } from './dispatch';
export { maintainTimeSeries } from './maintain-time-series';
export { superviseControlLoops } from './supervise-control-loops';
