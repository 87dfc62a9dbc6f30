/** An annotation as the runner shows it beside the job. */
export interface Shown {
  readonly level: 'notice' | 'warning' | 'error';
  readonly message: string;
  readonly title?: string;
  readonly file?: string;
  readonly line?: number;
}

const plain = (text: string) =>
  text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
const property = (text: string) => plain(text.replaceAll('%3A', ':').replaceAll('%2C', ','));

/**
 * What the runner makes of a step's lines: commands (`::name key=value::text`) are obeyed, secrets
 * become `***`, the rest is the log.
 */
export class LogReader {
  readonly annotations: Shown[] = [];
  /** What a person reads, secrets hidden. */
  readonly lines: string[] = [];
  /** Printed by `::debug::`; shown only when step debugging is on. */
  readonly debug: string[] = [];
  /** Deprecated or refused commands. */
  readonly refused: string[] = [];
  /** Secrets printed in clear before they were masked: what the runner can't hide any more. */
  readonly early: string[] = [];
  private readonly masks: Set<string>;
  private readonly unmasked: string[] = [];
  private stopped: string | undefined;

  /** @param masks shared by the steps of a job. */
  constructor(masks: Set<string>) {
    this.masks = masks;
  }

  /** Takes one line; returns what is shown of it, or undefined. */
  take(line: string): string | undefined {
    const command = /^\s*::([a-z][a-z0-9-]*)(?: ([^:]*(?:[^:]|:(?!:))*?))?::(.*)$/s.exec(line);
    if (this.stopped !== undefined) {
      if (line.trim() === `::${this.stopped}::`) this.stopped = undefined;
      else return this.show(line);
      return undefined;
    }
    if (command === null) return this.show(line);
    const [, name = '', properties = '', data = ''] = command;
    const text = plain(data);
    const given = Object.fromEntries(
      properties
        .split(',')
        .filter((pair) => pair.includes('='))
        .map((pair) => {
          const at = pair.indexOf('=');
          return [pair.slice(0, at).trim(), property(pair.slice(at + 1))] as const;
        }),
    );
    switch (name) {
      case 'add-mask':
        this.mask(text);
        return undefined;
      case 'notice':
      case 'warning':
      case 'error':
        this.annotations.push({
          level: name,
          message: this.hide(text),
          ...(given['title'] === undefined ? {} : { title: this.hide(given['title']) }),
          ...(given['file'] === undefined ? {} : { file: given['file'] }),
          ...(given['line'] === undefined ? {} : { line: Number(given['line']) }),
        });
        return this.show(`${name[0]?.toUpperCase()}${name.slice(1)}: ${text}`);
      case 'debug':
        this.debug.push(this.hide(text));
        return undefined;
      case 'group':
        return this.show(`▸ ${text}`);
      case 'endgroup':
      case 'add-matcher':
      case 'remove-matcher':
      case 'echo':
        return undefined;
      case 'stop-commands':
        this.stopped = text;
        return undefined;
      default:
        // set-output, save-state, set-env, add-path: switched off in favour of files.
        this.refused.push(name);
        return this.show(line);
    }
  }

  private mask(secret: string): void {
    for (const part of new Set([secret, ...secret.split(/[\r\n]+/)])) {
      // The runner masks anything that isn't empty; what is shorter can't be told from chance.
      if (part.trim().length < 4) continue;
      this.masks.add(part);
      if (this.unmasked.some((line) => line.includes(part))) this.early.push(part);
    }
  }

  private show(line: string): string {
    this.unmasked.push(line);
    const shown = this.hide(line);
    this.lines.push(shown);
    return shown;
  }

  private hide(text: string): string {
    let hidden = text;
    for (const secret of [...this.masks].sort((a, b) => b.length - a.length)) {
      hidden = hidden.replaceAll(secret, '***');
    }
    return hidden;
  }
}
