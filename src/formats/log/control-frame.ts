import { TidingsError } from '../../core/errors.ts';
import { BATCH_VERSION, CONTROL, CONTROL_BYTES, CONTROL_MAGIC } from './batch-layout.ts';

/** What stands between batches on the wire: see `CONTROL` in batch-layout.ts. */
export type ControlFrame =
  | {
      /** First of every response. */
      readonly kind: 'hello';
      readonly stream: string;
      /** When the log was made, ms since 1970 UTC. */
      readonly created: number;
      /** Into how many slices a group shares the stream. */
      readonly partitions: number;
      /** SCNs of the first and last change that can be read; null when there is none. */
      readonly first: number | null;
      readonly last: number | null;
      /** The SCN behind which a plain reading begins. */
      readonly after?: number;
      /** How often a reader without changes is told how far it is, in ms. */
      readonly progressMs?: number;
    }
  | {
      /** Texts of row shapes that the batches behind it refer to. */
      readonly kind: 'shapes';
      readonly shapes: readonly string[];
    }
  | {
      /** Everything up to this SCN has been sent, or did not pass the filter. */
      readonly kind: 'progress';
      readonly scn: number;
      /** Commit time of what the SCN stands for, µs since 1970 UTC; null when it is not known. */
      readonly time: number | null;
    }
  | {
      /** To a group's member. */
      readonly kind: 'assignment';
      readonly epoch: number;
      readonly partitions: readonly number[];
      readonly revoking: readonly number[];
    }
  | {
      /** To a group's member: the batches behind it are of these partitions. */
      readonly kind: 'lane';
      readonly partitions: readonly number[];
    }
  | {
      /** The response ends. */
      readonly kind: 'error';
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    };

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(CONTROL).map(([name, kind]) => [kind, name]));

export function encodeControl(frame: ControlFrame): Buffer {
  const { kind, ...payload } = frame;
  const text = JSON.stringify(payload);
  const length = CONTROL_BYTES + Buffer.byteLength(text);
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32LE(CONTROL_MAGIC, 0);
  bytes.writeUInt8(BATCH_VERSION, 4);
  bytes.writeUInt8(CONTROL[kind], 5);
  bytes.writeUInt32LE(length, 8);
  bytes.write(text, CONTROL_BYTES);
  return bytes;
}

/** Whether what begins at `start` is a control frame, not a batch. At least four bytes are there. */
export function isControl(view: DataView, start: number): boolean {
  return view.getUint32(start, true) === CONTROL_MAGIC;
}

/** The length of the control frame at `start`, of which at least CONTROL_BYTES are there. */
export function controlLength(view: DataView, start: number): number {
  return view.getUint32(start + 8, true);
}

/**
 * The control frame at `start`; null when its kind is none that this version knows: such a frame is passed over.
 *
 * @throws TidingsError PROTOCOL_VIOLATION
 */
export function decodeControl(bytes: Buffer, view: DataView, start: number): ControlFrame | null {
  const available = bytes.length - start;
  if (available < CONTROL_BYTES || !isControl(view, start)) throw malformed('it does not begin as one');
  const length = controlLength(view, start);
  if (length < CONTROL_BYTES || length > available) throw malformed('its length is wrong');
  const kind = NAMES.get(view.getUint8(start + 5));
  if (kind === undefined || view.getUint8(start + 4) !== BATCH_VERSION) return null;
  let payload: unknown;
  try {
    payload = JSON.parse(bytes.toString('utf8', start + CONTROL_BYTES, start + length));
  } catch {
    throw malformed('its content is not JSON');
  }
  if (typeof payload !== 'object' || payload === null) throw malformed('its content is no object');
  const frame = { ...payload, kind } as ControlFrame;
  if (!isWellFormed(frame)) throw malformed(`its content is not that of "${kind}"`);
  return frame;
}

function isWellFormed(frame: ControlFrame): boolean {
  switch (frame.kind) {
    case 'hello':
      return (
        typeof frame.stream === 'string' &&
        isNumber(frame.created) &&
        isNumber(frame.partitions) &&
        isNumberOrNull(frame.first) &&
        isNumberOrNull(frame.last)
      );
    case 'shapes':
      return Array.isArray(frame.shapes) && frame.shapes.every((text) => typeof text === 'string');
    case 'progress':
      return isNumber(frame.scn) && isNumberOrNull(frame.time);
    case 'assignment':
      return isNumber(frame.epoch) && areNumbers(frame.partitions) && areNumbers(frame.revoking);
    case 'lane':
      return areNumbers(frame.partitions);
    case 'error':
      return [frame.code, frame.message, frame.hint].every((text) => typeof text === 'string');
  }
}

function isNumber(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || isNumber(value);
}

function areNumbers(values: unknown): boolean {
  return Array.isArray(values) && values.every(isNumber);
}

function malformed(what: string): TidingsError {
  return new TidingsError('PROTOCOL_VIOLATION', `a control frame cannot be understood: ${what}`);
}
