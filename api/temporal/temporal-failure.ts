import {
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  QueryNotRegisteredError,
  ServiceError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { DermsError, type ErrorCode } from '../../domain/errors';

/** gRPC codes (google.rpc.Code) that mean the server cannot do it now. */
const UNAVAILABLE = 14;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;

/** What a failed call to Temporal is to our callers; a failure of ours passes through. */
export function temporalFailureOf(error: unknown): DermsError {
  if (error instanceof DermsError) {
    return error.code === 'TIMED_OUT' ? failure('TEMPORAL_UNAVAILABLE', 'it does not answer in time', error) : error;
  }
  if (error instanceof WorkflowNotFoundError) {
    return failure('CONTROL_LOOP_NOT_RUNNING', 'No such workflow is running.', error);
  }
  if (error instanceof QueryNotRegisteredError) {
    return failure('CONTROL_LOOP_NOT_RUNNING', 'The workflow runs on a worker that does not know the question.', error);
  }
  const grpc = error instanceof ServiceError ? error.cause : error;
  if (isGrpcDeadlineError(grpc) || isGrpcCancelledError(grpc) || isAbort(grpc)) {
    return failure('TEMPORAL_UNAVAILABLE', 'it does not answer in time', error);
  }
  if (isGrpcServiceError(grpc)) {
    const code = grpc.code as number;
    if (code === FAILED_PRECONDITION) {
      return failure('CONTROL_LOOP_NOT_RUNNING', 'No control worker is there to answer.', error);
    }
    if (code === UNAVAILABLE || code === RESOURCE_EXHAUSTED) {
      return failure('TEMPORAL_UNAVAILABLE', `it cannot be reached: ${grpc.details}`, error);
    }
  }
  const message = error instanceof Error ? error.message : String(error);
  return failure('TEMPORAL_UNAVAILABLE', `it failed: ${message}`, error);
}

/** Asked again in a moment it may well work: the workflow is between two runs, or the server has too much to do. */
export function isBusy(error: unknown): boolean {
  const grpc = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(grpc) && (grpc.code as number) === RESOURCE_EXHAUSTED;
}

const failure = (code: ErrorCode, message: string, cause: unknown): DermsError =>
  new DermsError(code, message, { cause });

const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
