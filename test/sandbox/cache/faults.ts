import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** One planned misbehaviour of a stand-in. */
export interface Fault {
  /** Which requests: the stand-in's name of an operation, or a test on it. Absent: all. */
  readonly on?: string | ((operation: string) => boolean);
  /** How many requests it hits. Default: all from now on. */
  readonly times?: number;
  /** Waits this many ms first. Without a status the request is then answered as usual. */
  readonly delay?: number;
  /** Never answers; the connection stays open. */
  readonly hang?: boolean;
  /** Breaks the connection off, as a dead server behind a load balancer does. */
  readonly reset?: boolean;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The faults a stand-in is to show; the first one that fits is taken. */
export class Faults {
  private planned: { fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.planned.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.planned = [];
  }

  /** @returns true when the fault was the answer. */
  async hit(operation: string, request: IncomingMessage, response: ServerResponse) {
    const at = this.planned.find(
      ({ fault, left }) =>
        left > 0 &&
        (fault.on === undefined ||
          (typeof fault.on === 'string' ? fault.on === operation : fault.on(operation))),
    );
    if (at === undefined) return false;
    at.left -= 1;
    const { fault } = at;
    if (fault.delay !== undefined) await sleep(fault.delay, undefined, { ref: false });
    if (fault.hang === true) {
      request.resume();
      return true;
    }
    if (fault.reset === true) {
      request.socket.destroy();
      return true;
    }
    if (fault.status === undefined) return false;
    // The body is read to its end first: else the client sees a broken pipe instead of the status.
    request.resume();
    await new Promise((resolve) => {
      if (request.complete || request.destroyed) resolve(undefined);
      else request.once('end', resolve).once('close', resolve);
    });
    response.writeHead(fault.status, {
      'content-type': 'application/json',
      'x-ms-request-id': '00000000-0000-0000-0000-000000000000',
      ...fault.headers,
    });
    response.end(
      fault.body ?? JSON.stringify({ code: 'internal', msg: 'the service has trouble' }),
    );
    return true;
  }
}
