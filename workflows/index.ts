/** Every export is a workflow type. */
export { controlLoop } from './control-loop';
export { dispatch } from './dispatch';
export { superviseControlLoops } from './supervise-control-loops';
export { job } from './job';
