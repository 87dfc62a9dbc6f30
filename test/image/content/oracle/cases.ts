import { Random } from './random.ts';

/** One question to the oracle (main.go) and to our own code. */
export interface Question {
  readonly kind: 'ignore' | 'walk' | 'glob' | 'expand' | 'dockerfile' | 'reference';
  readonly text: string;
  readonly paths?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly escape?: string;
  readonly options?: Readonly<Record<string, boolean>>;
}

const kinds: readonly Question['kind'][] = [
  'ignore',
  'walk',
  'glob',
  'expand',
  'dockerfile',
  'reference',
];

/** `count` random questions of each kind. */
export function questions(seed: number, count: number): readonly Question[] {
  const random = new Random(seed);
  return kinds.flatMap((kind) => Array.from({ length: count }, () => question(kind, random)));
}

function question(kind: Question['kind'], random: Random): Question {
  switch (kind) {
    case 'ignore':
      return { kind, text: ignoreFile(random), paths: random.some(4, 10, () => path(random)) };
    case 'walk':
      return { kind, text: ignoreFile(random), paths: tree.filter(() => random.chance(40)) };
    case 'glob':
      return { kind, text: pattern(random), paths: random.some(4, 10, () => path(random)) };
    case 'expand':
      return expansion(random);
    case 'dockerfile':
      return { kind, text: dockerfile(random) };
    case 'reference':
      return { kind, text: reference(random) };
  }
}

// Few names, so that patterns and paths meet.
const names = [
  'a',
  'b',
  'ab',
  'a.md',
  'b.md',
  'src',
  'a|b',
  'ü',
  'x{1}',
  '!a',
  'a b',
  'D1',
  '[a]',
  'a^',
];

/** Folders and files of the context that is walked. */
const tree: readonly string[] = [
  ...['a', 'b', 'src'].flatMap((top) =>
    ['a.md', 'ab', 'b/a.md', 'b/b/a', 'src/ü', 'x{1}', 'empty/'].map((rest) => `${top}/${rest}`),
  ),
  'ab',
  'a.md',
  'b.md',
  'a|b',
  '!a',
  'D1',
];

function path(random: Random): string {
  return random.some(1, 4, () => random.pick(names)).join('/');
}

const odd = [
  '*',
  '**',
  '?',
  '[ab]',
  '[^a]',
  '[a-c]*',
  '*.md',
  'a*',
  '*b',
  '**b',
  'a**',
  '\\a',
  '\\*',
];
const odder = [
  '[',
  ']',
  '[]a]',
  '[a',
  'a\\',
  '[\\]]',
  '{2}',
  'a{2}',
  '|',
  '^a',
  '$',
  '(a)',
  '\\d',
  '+',
  '.',
];

function pattern(random: Random): string {
  const part = () => {
    if (random.chance(45)) return random.pick(names);
    if (random.chance(75)) return random.pick(odd);
    return random.pick(odder) + (random.chance(50) ? random.pick(names) : '');
  };
  const start = random.chance(10) ? '/' : '';
  const end = random.pick(['', '', '', '', '/', '/**', '/*']);
  return start + random.some(1, 3, part).join('/') + end;
}

function ignoreFile(random: Random): string {
  const line = () => {
    if (random.chance(6)) return random.pick(['# note', '', '  ', '!', '.', '..', '/', ' #a', '*']);
    const mark = random.chance(30) ? random.pick(['!', '!', '!', '! ', '!/', '!../']) : '';
    const blank = random.chance(8) ? random.pick([' ', '\t', '\r', './', '../']) : '';
    return blank + mark + pattern(random) + (random.chance(8) ? ' ' : '');
  };
  const start = random.chance(4) ? '\ufeff' : '';
  return start + random.some(1, 6, line).join(random.chance(10) ? '\r\n' : '\n');
}

const expressions = [
  '$A',
  '${A}',
  '${NONE}',
  '$NONE',
  '${A:-x}',
  '${NONE:-y}',
  '${EMPTY:-y}',
  '${EMPTY-y}',
  '${A:+y}',
  '${NONE+y}',
  '${EMPTY+y}',
  '${EMPTY:+y}',
  '${A:?no}',
  '${NONE:?no}',
  '${NONE?}',
  '${NONE:-${A}}',
  '${NONE:-"${B} c"}',
  "${NONE:-'$A'}",
  '${PATHS#*/}',
  '${PATHS##*/}',
  '${PATHS%/*}',
  '${PATHS%%/*}',
  '${PATHS/a/b}',
  '${PATHS//a/b}',
  '${PATHS//[ab]/$0}',
  '${PATHS/\\/a/}',
  '${PATHS//?/x$1}',
  '${DOTS%.*}',
  '${DOTS%%\\**}',
  '${DOTS#\\?}',
  '${A:#x}',
  '${A@}',
  '${A:x}',
  '${',
  '${A',
  '${}',
  '${:x}',
  '$',
  '$$',
  '$1',
  '$12a',
  '$@',
  '${@}',
  '$ÄÖ',
  '\\$A',
  '\\\\$A',
  '`$A',
  "'$A'",
  '"$A"',
  '"\\$A \\x"',
  '"',
  "'",
  '<<EOF',
  '<< EOF',
  '<',
  '\\',
];

function expansion(random: Random): Question {
  const text = random
    .some(1, 4, () =>
      random.chance(60) ? random.pick(expressions) : random.pick(['a', ' ', 'b c', 'ü', '/']),
    )
    .join('');
  const options = Object.fromEntries(
    ['rawQuotes', 'rawEscapes', 'plainQuotes', 'keepUnset'].map((name) => [
      name,
      random.chance(15),
    ]),
  );
  return {
    kind: 'expand',
    text,
    env: { A: 'a value', B: 'b', EMPTY: '', PATHS: '/a/b/a.md', DOTS: '?a.b.*c', ÄÖ: 'umlauts' },
    escape: random.pick(['\\', '\\', '\\', '`']),
    options,
  };
}

const instructions = [
  'RUN echo a \\\n  b',
  'RUN echo a \\\n# note\n\n  b',
  'RUN echo "a \\\\\n"',
  'RUN --mount=type=bind,source=a,target=/a --network=none cat /a',
  'RUN --mount="type=cache,target=/a b" x',
  "RUN --mount='type=cache' -- --x",
  'RUN ["a", "b"]',
  'RUN [ -f x ] && y',
  'RUN <<EOF\nline\n  # kept\nEOF',
  'RUN <<-"EOF" cat\n\tline $A\n\tEOF',
  "RUN cat <<A 3<<'B C' > /x\n1\nA\n2\nB C",
  'RUN echo ${x:-<<EOF}',
  'COPY a b /c',
  'COPY  --chown=1:2   --exclude=*.md a\tb /c',
  'COPY --chmod=ü a /c',
  'COPY ["a b", "/c"]',
  'COPY <<EOF <<B /x/\n$A\nEOF\n2\nB',
  'COPY --from=0 /a /b',
  'ADD https://example.com/x /y',
  'ADD --checksum=sha256:aa https://example.com/x /y',
  'ENV A=1 B="2 3" C=4\\ 5',
  'ENV A some  words "here"',
  "ENV A='$B' B=",
  'ENV A',
  'ARG A',
  'ARG A=1 B',
  'ARG A="x y"',
  'LABEL a=b \\\n  "c d"=e',
  'LABEL a b',
  'WORKDIR /a b',
  'USER $A',
  'CMD ["x"]',
  'ENTRYPOINT x y',
  'EXPOSE 80 81/udp',
  'HEALTHCHECK --interval=5s CMD x',
  'VOLUME ["/a"]',
  'STOPSIGNAL 9',
  'SHELL ["/bin/sh", "-c"]',
  'ONBUILD COPY . /app',
  'ONBUILD RUN <<EOF\nx\nEOF',
  'MAINTAINER me',
  '# a note',
  '',
  '   ',
  'run lower',
  '\\',
  'RUN a \\  ',
  'RUN a ` \n b',
  'RUN a\r',
];
const heads = [
  '# syntax=docker/dockerfile:1',
  '# escape=`',
  '#escape = \\',
  '# check=skip=all',
  '# note',
  '#',
  '// syntax=x',
];

function dockerfile(random: Random): string {
  const head = random.chance(30) ? random.some(1, 3, () => random.pick(heads)) : [];
  const global = random.chance(25) ? [random.pick(['ARG A=1', 'ARG A', 'ARG A=1 B=$A'])] : [];
  const from = () =>
    random.pick([
      'FROM a',
      'FROM a AS b',
      'from --platform=$BUILDPLATFORM a as B',
      'FROM $A',
      'FROM scratch',
    ]);
  const lines = [
    ...head,
    ...global,
    from(),
    ...random.some(0, 5, () => random.pick(instructions)),
    ...(random.chance(30) ? [from(), random.pick(instructions)] : []),
  ];
  const start = random.chance(3) ? '\ufeff' : '';
  return start + lines.join(random.chance(10) ? '\r\n' : '\n') + (random.chance(80) ? '\n' : '');
}

function reference(random: Random): string {
  const host = random.pick([
    '',
    '',
    'docker.io/',
    'index.docker.io/',
    'ghcr.io/',
    'localhost/',
    'localhost:5000/',
    'Host/',
    '127.0.0.1:1/',
  ]);
  const name = random.pick([
    'a',
    'library/a',
    'a/b',
    'a/b/c',
    'A',
    'a__b',
    'a--b',
    'a-',
    'a..b',
    'a_b',
  ]);
  const tag = random.pick(['', '', ':latest', ':1.0-x', ':', ':a b', ':_x']);
  const digest = random.chance(15) ? `@sha256:${'ab'.repeat(32)}` : '';
  return host + name + tag + digest;
}
