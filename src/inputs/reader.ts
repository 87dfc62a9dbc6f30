import { ActionError } from '../errors.ts';
import { splitCommas, splitLines } from '../image/csv.ts';
import { closest, inputDefaults, type InputName, variable } from './names.ts';

/** Reads inputs one by one and collects what is wrong with them instead of throwing. */
export interface Reader {
  readonly env: NodeJS.ProcessEnv;
  readonly problems: readonly ActionError[];
  readonly warnings: readonly string[];
  /** Exactly as set; undefined when not set at all. */
  raw(name: InputName): string | undefined;
  /** Trimmed; the default when not set or empty. */
  text(name: InputName): string;
  flag(name: InputName): boolean;
  choice<T extends string>(name: InputName, allowed: readonly T[]): T;
  /** Items, one a line. */
  lines(name: InputName): readonly string[];
  /** Items, one a line or between commas. */
  commas(name: InputName): readonly string[];
  /** ms. */
  duration(name: InputName, range: { min: string; max: string }): number;
  /** Records a problem; `what` follows the input's name: "is missing", "`x` is no Region". */
  problem(name: InputName, what: string, hint?: string): void;
  warn(sentence: string): void;
}

export function createReader(env: NodeJS.ProcessEnv): Reader {
  const problems: ActionError[] = [];
  const warnings: string[] = [];
  const problem = (name: InputName, what: string, hint?: string) => {
    problems.push(new ActionError(`${name}: ${what}`, { hint }));
  };
  const raw = (name: InputName) => env[variable(name)];
  const text = (name: InputName) => raw(name)?.trim() || inputDefaults[name];
  const items = (name: InputName, split: (text: string) => readonly string[]) => {
    try {
      return split(raw(name)?.trim() ? (raw(name) ?? '') : inputDefaults[name]);
    } catch (error) {
      problem(
        name,
        `the list can't be read (${error instanceof Error ? error.message : String(error)})`,
        'An item that starts with " must end with ", and a " inside it is written "".',
      );
      return [];
    }
  };
  return {
    env,
    problems,
    warnings,
    raw,
    text,
    problem,
    warn: (sentence) => void warnings.push(sentence),
    lines: (name) => items(name, splitLines),
    commas: (name) => items(name, splitCommas),
    flag(name) {
      const found = text(name);
      if (/^(true|yes)$/i.test(found)) return true;
      if (!/^(false|no)$/i.test(found)) {
        problem(name, `${show(found)} is neither true nor false`, `Example: ${name}: true`);
      }
      return false;
    },
    choice<T extends string>(name: InputName, allowed: readonly T[]): T {
      const found = text(name);
      const match = allowed.find((value) => value === found.toLowerCase());
      if (match !== undefined) return match;
      const near = closest(found, allowed);
      problem(
        name,
        `${show(found)} is none of ${allowed.join(', ')}${near === undefined ? '' : ` (${near}?)`}`,
        `Example: ${name}: ${near ?? allowed[0]}`,
      );
      // The value is never used: a problem was recorded.
      return allowed[0] as T;
    },
    duration(name, { min, max }) {
      const found = text(name);
      const ms = parseDuration(found);
      const [low = 0, high = 0] = [parseDuration(min), parseDuration(max)];
      if (ms === undefined || ms < low || ms > high) {
        problem(
          name,
          `${show(found)} is no time span from ${min} to ${max}`,
          `Example: ${name}: ${inputDefaults[name] || '90s'} (units h, m, s; a bare number is seconds)`,
        );
      }
      return ms ?? 0;
    },
  };
}

/** A time span in ms: `90s`, `5m`, `1h30m`, `45` (seconds); undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const compact = text.replaceAll(' ', '');
  if (/^\d+$/.test(compact)) return Number(compact) * 1000;
  const match = /^(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?$/i.exec(compact);
  if (match === null || compact === '') return undefined;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
}

/** What was found, for a message: quoted, on one line, cut short. */
export function show(value: string): string {
  const line = value.replaceAll(/\s+/g, ' ');
  return `\`${line.length > 120 ? `${line.slice(0, 117)}…` : line}\``;
}
