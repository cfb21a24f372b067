import type {
  BootstrapRequest,
  FilterRequest,
  FrameReader,
  JoinOptions,
  MemberName,
  ReaderStart,
  ReadRequest,
  StreamName,
  Transport,
} from '../client/transport.ts';
import type { Assignment, CommitRequest, CommitResult, Heartbeat } from '../core/group.ts';

/** What consumers in the relay's process reach a stream by: whatever log is open at the time, as they outlive one that has failed. */
export class KeptTransport implements Transport {
  readonly #present: () => Transport;

  /** @param present throws why there is none */
  constructor(present: () => Transport) {
    this.#present = present;
  }

  async read(request: ReadRequest, signal: AbortSignal): Promise<FrameReader> {
    return await this.#present().read(request, signal);
  }

  async identity(signal?: AbortSignal): Promise<StreamName> {
    return await this.#present().identity(signal);
  }

  async bootstrap(reader: string, request: BootstrapRequest, signal?: AbortSignal): Promise<ReaderStart> {
    return await this.#present().bootstrap(reader, request, signal);
  }

  async dismiss(reader: string, signal?: AbortSignal): Promise<void> {
    await this.#present().dismiss(reader, signal);
  }

  // oxlint-disable-next-line max-params -- as the contract has it
  async readAsMember(member: MemberName, request: FilterRequest, signal: AbortSignal): Promise<FrameReader> {
    return await this.#present().readAsMember(member, request, signal);
  }

  async join(member: MemberName, options: JoinOptions): Promise<Assignment> {
    return await this.#present().join(member, options);
  }

  async heartbeat(member: MemberName, beat: Heartbeat): Promise<Assignment> {
    return await this.#present().heartbeat(member, beat);
  }

  async commit(member: MemberName, request: CommitRequest): Promise<CommitResult> {
    return await this.#present().commit(member, request);
  }

  async leave(member: MemberName, epoch: number): Promise<void> {
    await this.#present().leave(member, epoch);
  }

  /** What it reads belongs to the relay and stays open. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
