/** The thread that `RelayState` starts: it alone waits for the disk on behalf of the state. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { setFailpointHandler } from '../../core/failpoint.ts';
import { parseFailpoints } from '../../core/failpoint-spec.ts';
import { killOwnProcess } from './own-process.ts';
import { StateDatabase } from './state-database.ts';
import { errorToMessage, type StateReport, type StateRequest, type StateWorkerData } from './state-messages.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the body of a worker thread');
const { directory, failpoints } = workerData as StateWorkerData;

const database = open();
if (database !== null) {
  port.on('message', (first: StateRequest) => serve(database, first));
  report({ type: 'open' });
}

function open(): StateDatabase | null {
  try {
    if (failpoints !== null) setFailpointHandler(parseFailpoints(failpoints, { kill: killOwnProcess }));
    return new StateDatabase(directory);
  } catch (error) {
    report({ type: 'refused', error: errorToMessage(error) });
    return null;
  }
}

/**
 * Carries out the request and all others that have come meanwhile, which is what came while the disk was busy with the ones before, as
 * one transaction: members that commit at the same time share an fsync.
 */
function serve(state: StateDatabase, first: StateRequest): void {
  const requests = [first];
  for (let next = receive(); next !== null; next = receive()) requests.push(next);
  const operations = requests.filter((request) => request.type === 'operation');
  if (operations.length > 0) {
    const outcomes = state.run(operations.map(({ operation }) => operation));
    const answers = operations.map(({ id }, at) => {
      const outcome = outcomes[at] ?? { error: new Error('an operation has no outcome') };
      return 'error' in outcome ? { id, error: errorToMessage(outcome.error) } : { id, answer: outcome.answer };
    });
    report({ type: 'answers', answers });
  }
  if (operations.length < requests.length) {
    state.close();
    port?.close();
  }
}

function receive(): StateRequest | null {
  if (port === null) return null;
  return (receiveMessageOnPort(port)?.message as StateRequest | undefined) ?? null;
}

function report(message: StateReport): void {
  port?.postMessage(message);
}
