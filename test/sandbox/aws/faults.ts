import type { ServiceRequest } from './service.ts';

/** What happens to a call instead of, before or after its work. */
export interface Fault {
  /** Answer with this error, without doing the work. Both or neither. */
  status?: number;
  code?: string;
  message?: string;
  /** How many calls it meets. Default 1. */
  times?: number;
  delayMs?: number;
  /** Do the work, then cut the connection instead of answering. */
  lostAnswer?: boolean;
  /** Cut the connection without doing the work. */
  cut?: boolean;
  /** Only calls this is true for. */
  when?: (request: ServiceRequest | undefined) => boolean;
}

export interface Denial {
  /** Which side's policy lacks the statement. Default `identity`. */
  policy?: 'identity' | 'resource';
  /** An explicit deny reads differently. */
  explicit?: boolean;
}

/** A call that has arrived and waits until it is let go. */
export interface Hold {
  /** Resolves when the call has arrived. */
  readonly reached: Promise<void>;
  release(): void;
}

/**
 * Scripted failures, keyed by IAM action (`ecr:PutImage`, `lambda:UpdateFunctionCode`, `s3:PutObject`).
 * The registry front's own requests have keys of their own (`registry:PutImage`, …), so that a fault
 * meant for the API is not used up by a push; a denial is for both, as in IAM.
 */
export interface Faults {
  next(action: string, fault: Fault): void;
  deny(action: string, denial?: Denial): void;
  allow(action: string): void;
  /** @param when only the first call this is true for. */
  hold(action: string, when?: Fault['when']): Hold;
  clear(): void;
}

export interface FaultBox extends Faults {
  denial(action: string): Denial | undefined;
  take(action: string, request: ServiceRequest | undefined): Fault | undefined;
  /** Waits while the action is held. */
  pass(action: string, request: ServiceRequest | undefined): Promise<void>;
}

export function createFaults(): FaultBox {
  const queue: { action: string; fault: Fault; left: number }[] = [];
  const denials = new Map<string, Denial>();
  const holds: {
    action: string;
    when: Fault['when'];
    arrived: () => void;
    released: Promise<void>;
  }[] = [];
  const releases = new Set<() => void>();

  return {
    next: (action, fault) => {
      queue.push({ action, fault, left: fault.times ?? 1 });
    },
    deny: (action, denial = {}) => {
      denials.set(action, denial);
    },
    allow: (action) => {
      denials.delete(action);
    },
    hold: (action, when) => {
      const arrival = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      holds.push({ action, when, arrived: arrival.resolve, released: release.promise });
      releases.add(release.resolve);
      return { reached: arrival.promise, release: release.resolve };
    },
    clear: () => {
      queue.length = 0;
      denials.clear();
      holds.length = 0;
      for (const release of releases) release();
      releases.clear();
    },
    denial: (action) => denials.get(action),
    take: (action, request) => {
      const at = queue.findIndex(
        (entry) => entry.action === action && entry.fault.when?.(request) !== false,
      );
      const entry = queue[at];
      if (entry === undefined) return undefined;
      entry.left -= 1;
      if (entry.left <= 0) queue.splice(at, 1);
      return entry.fault;
    },
    pass: async (action, request) => {
      const at = holds.findIndex(
        (hold) => hold.action === action && hold.when?.(request) !== false,
      );
      const hold = holds[at];
      if (hold === undefined) return;
      holds.splice(at, 1);
      hold.arrived();
      await hold.released;
    },
  };
}

/** IAM's words for a missing permission. */
export function denialText(
  caller: string,
  action: string,
  resource: string,
  { policy = 'identity', explicit = false }: Denial,
): string {
  const start = `User: ${caller} is not authorized to perform: ${action} on resource: ${resource}`;
  return explicit
    ? `${start} with an explicit deny in ${policy === 'identity' ? 'an identity' : 'a resource'}-based policy`
    : `${start} because no ${policy}-based policy allows the ${action} action`;
}
