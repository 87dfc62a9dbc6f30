import { isDigit, isNameChar, isSpace } from './text.ts';
import { replacePattern, trimPrefix, trimSuffix } from './shell-pattern.ts';
import { Undecidable } from './undecidable.ts';

/** Value of a variable; undefined: not set. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  /** `\`, or a back-tick by the `escape` directive. */
  readonly escape?: string;
  /** Keep quotes in the result. */
  readonly rawQuotes?: boolean;
  /** Keep escape characters in the result. */
  readonly rawEscapes?: boolean;
  /** Quotes mean nothing (the content of a heredoc). */
  readonly plainQuotes?: boolean;
  /** A variable that isn't set stays as it is written. */
  readonly keepUnset?: boolean;
}

/**
 * Replaces variables, quotes and escapes in one word, as BuildKit does for instructions that expand
 * variables. Dockerfile reference, "Environment replacement".
 *
 * @throws Undecidable where BuildKit refuses the word.
 */
export function expandWord(word: string, lookup: Lookup, options: ExpandOptions = {}): string {
  return new Expansion(word, lookup, options).run().text;
}

/** The same, then split at white space that isn't quoted. */
export function expandWords(
  word: string,
  lookup: Lookup,
  options: ExpandOptions = {},
): readonly string[] {
  return new Expansion(word, lookup, options).run().words;
}

interface Part {
  readonly text: string;
  readonly words: readonly string[];
}

// BuildKit collects the current word in one buffer that a nested `${x:-…}` empties: what stood before
// it in the same word is lost. Only heredoc markers are read from words, and there it must be so too.
class Words {
  private readonly done: string[] = [];
  private readonly buffer: { text: string };
  private inside = false;

  constructor(buffer: { text: string }) {
    this.buffer = buffer;
    buffer.text = '';
  }

  add(char: string): void {
    if (!isSpace(char)) this.addRaw(char);
    else if (this.inside && this.buffer.text !== '') this.close();
  }

  addRaw(text: string): void {
    this.buffer.text += text;
    this.inside = true;
  }

  private close(): void {
    this.done.push(this.buffer.text);
    this.buffer.text = '';
    this.inside = false;
  }

  end(): readonly string[] {
    if (this.buffer.text !== '') this.close();
    return this.done;
  }
}

class Expansion {
  private readonly chars: readonly string[];
  private readonly lookup: Lookup;
  private readonly options: ExpandOptions;
  private readonly escape: string;
  private readonly wordBuffer = { text: '' };
  private at = 0;

  constructor(word: string, lookup: Lookup, options: ExpandOptions) {
    // Go's scanner drops a byte order mark at the start.
    this.chars = Array.from(word.replace(/^\ufeff/, ''));
    this.lookup = lookup;
    this.options = options;
    this.escape = options.escape ?? '\\';
  }

  run(): Part {
    return this.until(undefined, this.options.rawEscapes ?? false);
  }

  private peek(): string | undefined {
    return this.chars[this.at];
  }

  private next(): string | undefined {
    this.at += 1;
    return this.chars[this.at - 1];
  }

  private until(stop: string | undefined, rawEscapes: boolean): Part {
    let text = '';
    const words = new Words(this.wordBuffer);
    for (let char = this.peek(); char !== undefined; char = this.peek()) {
      if (char === stop) {
        this.next();
        return { text, words: words.end() };
      }
      const special = this.special(char, rawEscapes);
      if (special !== undefined) {
        text += special;
        if (char === '$') for (const each of special) words.add(each);
        else words.addRaw(special);
        continue;
      }
      this.next();
      if (char !== this.escape) {
        words.add(char);
        text += char;
        continue;
      }
      if (rawEscapes) {
        words.addRaw(char);
        text += char;
      }
      const escaped = this.next();
      if (escaped === undefined) break;
      words.addRaw(escaped);
      text += escaped;
    }
    if (stop !== undefined) this.refuse(`it lacks ${stop}`);
    return { text, words: words.end() };
  }

  private special(char: string, rawEscapes: boolean): string | undefined {
    if (char === '$') return this.dollar();
    if (char === '<') return this.less();
    if (this.options.plainQuotes === true) return undefined;
    if (char === "'") return this.single();
    return char === '"' ? this.double(rawEscapes) : undefined;
  }

  // `<< EOF`: the blank between belongs to the word.
  private less(): string {
    this.next();
    if (this.peek() !== '<') return '<';
    this.next();
    let blank = '';
    for (
      let char = this.peek();
      char === '\t' || char === '\r' || char === ' ';
      char = this.peek()
    ) {
      blank += char;
      this.next();
    }
    return `<<${blank}`;
  }

  private single(): string {
    const quote = this.options.rawQuotes === true ? "'" : '';
    this.next();
    let text = '';
    for (let char = this.next(); char !== "'"; char = this.next()) {
      if (char === undefined) this.refuse("it lacks a closing '");
      else text += char;
    }
    return quote + text + quote;
  }

  private double(rawEscapes: boolean): string {
    const quote = this.options.rawQuotes === true ? '"' : '';
    this.next();
    let text = '';
    for (;;) {
      const char = this.peek();
      if (char === undefined) this.refuse('it lacks a closing "');
      if (char === '$') {
        text += this.dollar();
        continue;
      }
      this.next();
      if (char === '"') return quote + text + quote;
      if (char !== this.escape) {
        text += char;
        continue;
      }
      if (rawEscapes) text += char;
      const following = this.peek();
      if (following === undefined) continue;
      if (following === '"' || following === '$' || following === this.escape) {
        text += this.next();
      } else text += char;
    }
  }

  private dollar(): string {
    this.next();
    if (this.peek() !== '{') {
      const name = this.name();
      if (name === '') return '$';
      const value = this.lookup(name);
      return value ?? (this.options.keepUnset === true ? `$${name}` : '');
    }
    this.next();
    const first = this.peek();
    if (first === undefined) this.refuse('it lacks }');
    if (first === '{' || first === '}' || first === ':') this.refuse('a name is missing after ${');
    const name = this.name();
    const value = this.lookup(name);
    const sign = this.next();
    if (sign === '}') return value ?? (this.options.keepUnset === true ? `\${${name}}` : '');
    if (sign === '/') return this.replace(name, value);
    return this.modified(name, value, sign);
  }

  private modified(name: string, value: string | undefined, sign: string | undefined): string {
    const colon = sign === ':';
    const operator = colon ? this.next() : sign;
    const trims = operator === '#' || operator === '%';
    // After a colon every character is taken, and refused only when the variable is looked at.
    if (!colon && operator !== '+' && operator !== '-' && operator !== '?' && !trims) {
      this.refuse(`\${${name}${operator ?? ''} is not known`);
    }
    if (colon && trims) this.refuse(`:${operator} is not known`);
    const { text: word } = this.until('}', trims);
    if (this.options.keepUnset === true && value === undefined) {
      return `\${${name}${colon ? ':' : ''}${operator ?? ''}${word}}`;
    }
    const missing = value === undefined || (colon && value === '');
    switch (operator) {
      case '-':
        return missing ? word : value;
      case '+':
        return missing ? '' : word;
      case '?':
        return missing ? this.refuse(`${name}: ${word || 'it must be set'}`) : value;
      case '#':
      case '%': {
        const greedy = word.startsWith(operator);
        const pattern = greedy ? word.slice(1) : word;
        const trim = operator === '%' ? trimSuffix : trimPrefix;
        return trim(pattern, value ?? '', greedy);
      }
      default:
        return this.refuse(`:${operator ?? ''} is not known`);
    }
  }

  private replace(name: string, value: string | undefined): string {
    const all = this.peek() === '/';
    if (all) this.next();
    const pattern = this.until('/', true).text;
    const replacement = this.until('}', true).text;
    if (this.options.keepUnset === true && value === undefined) {
      return `\${${name}/${pattern}/${replacement}}`;
    }
    return replacePattern(pattern, value ?? '', replacement, all);
  }

  private name(): string {
    const first = this.peek();
    if (first === undefined) return '';
    let name = '';
    if (isDigit(first)) {
      for (let char = this.peek(); char !== undefined && isDigit(char); char = this.peek()) {
        name += this.next();
      }
      return name;
    }
    if ('@*#?-$!0'.includes(first)) return this.next() ?? '';
    for (let char = this.peek(); char !== undefined && isNameChar(char); char = this.peek()) {
      name += this.next();
    }
    return name;
  }

  private refuse(reason: string): never {
    throw new Undecidable(`BuildKit can't expand ${this.chars.join('')}: ${reason}`);
  }
}
