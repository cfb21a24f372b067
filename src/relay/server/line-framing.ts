import type { Problem } from './problem.ts';

/** What stands between the changes in a response of lines. The changes themselves are written by `RelayLines`. */
export interface LineFraming {
  readonly kind: 'lines' | 'events';
  readonly contentType: string;
  /** What the response begins with. */
  readonly prologue: string;
  /** Everything up to this SCN was sent, or did not pass the filter. */
  progress(scn: number, nowMs: number): string;
  /** To a group's member: what it has, and what it must let go of. */
  assignment(assignment: MemberAssignment): string;
  /** The response ends here, and is not complete. */
  failure(problem: Problem): string;
  /** Says that the response is alive, when there is nothing else to say; the SCN that was told last. */
  heartbeat(scn: number, nowMs: number): string;
}

export interface MemberAssignment {
  readonly epoch: number;
  readonly partitions: readonly number[];
  readonly revoking: readonly number[];
}

function progressJson(scn: number, nowMs: number): string {
  return `{"op":"progress","ts":"${new Date(nowMs).toISOString()}","scn":${scn}}`;
}

function assignmentJson({ epoch, partitions, revoking }: MemberAssignment): string {
  return JSON.stringify({ op: 'assignment', epoch, partitions, revoking });
}

function failureJson({ code, detail, hint }: Problem): string {
  return JSON.stringify({ error: { code, message: detail, hint } });
}

/** One JSON object per line. Every line is one, also those that are no changes: parsers of JSON lines differ in what else they bear. */
export const NDJSON: LineFraming = {
  kind: 'lines',
  contentType: 'application/x-ndjson; charset=utf-8',
  prologue: '',
  progress: (scn, nowMs) => `${progressJson(scn, nowMs)}\n`,
  assignment: (assignment) => `${assignmentJson(assignment)}\n`,
  failure: (problem) => `${failureJson(problem)}\n`,
  heartbeat: (scn, nowMs) => `${progressJson(scn, nowMs)}\n`,
};

/** Events as https://html.spec.whatwg.org/multipage/server-sent-events.html has them; `id` is what Last-Event-ID brings back. */
export const SERVER_SENT_EVENTS: LineFraming = {
  kind: 'events',
  contentType: 'text/event-stream; charset=utf-8',
  prologue: 'retry: 2000\n\n',
  progress: (scn, nowMs) => `id: ${scn}\nevent: progress\ndata: ${progressJson(scn, nowMs)}\n\n`,
  assignment: (assignment) => `event: assignment\ndata: ${assignmentJson(assignment)}\n\n`,
  // Not "error": EventSource uses that name for lost connections.
  failure: (problem) => `event: problem\ndata: ${failureJson(problem)}\n\n`,
  heartbeat: () => ': alive\n\n',
};
