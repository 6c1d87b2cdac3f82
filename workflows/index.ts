/** Every export is a workflow type. */
export { controlLoop } from './control-loop';
export { copyBrokerStore } from './copy-broker-store';
export { dispatch } from './dispatch';
export { superviseControlLoops } from './supervise-control-loops';
export { job } from './job';
