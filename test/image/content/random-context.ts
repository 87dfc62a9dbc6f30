import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Random } from './oracle/random.ts';

/** What the build is given besides its files. */
export interface Options {
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly target: string;
  readonly labels: readonly string[];
  readonly addHosts: readonly string[];
}

export interface State extends Options {
  /** Lines of the Dockerfile that edits replace, by their mark. */
  readonly lines: Readonly<Record<string, string>>;
  readonly ignore: readonly string[];
  /** `ENV` of the base image, which is built again when it changes. */
  readonly base: string;
}

export const firstState: State = {
  buildArgs: { USED: '1' },
  target: '',
  labels: ['a=b'],
  addHosts: ['one:10.0.0.1'],
  lines: {
    comment: '# note',
    tool: 'RUN echo tool > /tool',
    app: 'RUN ls -R /app > /list',
    extra: 'RUN echo extra',
    command: 'CMD ["sh"]',
    trailing: 'ARG LATE=1',
    heredoc: 'COPY <<EOF /inline\nvalue $USED\nEOF',
  },
  ignore: ['*.log', 'ignored', '!ignored/kept.txt'],
  base: '1',
};

/** A Dockerfile that reads its context in many ways; marked lines come from the state. */
export function dockerfile(state: State, base: string): string {
  const { lines } = state;
  return `${lines['comment']}
ARG BASE=${base}
FROM \${BASE} AS tool
COPY tool/ /src/
${lines['tool']}
LABEL builder=${lines['comment']?.length}
${lines['trailing']}

FROM \${BASE} AS unneeded
COPY unneeded /unneeded
${lines['extra']}

FROM \${BASE} AS app
ARG USED
ENV FOLDER=src
COPY \${FOLDER:-none}/*.py /app/
COPY --from=tool /src /tool /from-tool/
COPY --from=named /n /named
COPY link/inner /through-link
COPY --exclude=lib/* --exclude=!lib/x --exclude=*.log tool /tool-without/
COPY ignored* deep s?c/[a-c].* /deep/
RUN --mount=type=bind,source=mounted,target=/mounted \\
    --mount=type=cache,target=/cache cat /mounted/* > /read; \\
    true
${lines['heredoc']}
${lines['app']}
${lines['command']}

FROM app AS all
ARG UNUSED_GLOBAL
COPY . /everything
`;
}

const files = [
  'src/a.py',
  'src/b.py',
  'src/readme.md',
  'tool/make',
  'tool/lib/x',
  'unneeded/u',
  'mounted/m',
  'mounted/more/n',
  'ignored/gone',
  'ignored/kept.txt',
  'deep/er/est/d',
  'real/inner/r',
  'top.txt',
  'debug.log',
];

/** Writes the context and the named context as they are at first. */
export function makeContext(context: string, named: string): void {
  for (const file of files) write(join(context, file), `${file}\n`);
  symlinkSync('real', join(context, 'link'));
  symlinkSync('../top.txt', join(context, 'deep/up'));
  mkdirSync(join(context, 'tool/empty'));
  write(join(named, 'n'), 'named\n');
  write(join(named, 'other'), 'not copied\n');
}

/** Draws kinds of change; every kind comes once before any comes again, so few edits try much. */
export function deck(): (random: Random) => number {
  let kinds: number[] = [];
  return (random) => {
    if (kinds.length === 0) kinds = Array.from({ length: 24 }, (_, kind) => kind);
    const [kind = 0] = kinds.splice(random.below(kinds.length), 1);
    return kind;
  };
}

/** One random change; what it was, for the message of a failure. */
export function edit(
  kinds: (random: Random) => number,
  random: Random,
  state: State,
  context: string,
  named: string,
): { readonly state: State; readonly what: string } {
  const same = (what: string) => ({ state, what });
  const any = () => random.pick(entries(context));
  const kind = kinds(random);
  const value = String(random.below(4));
  switch (kind) {
    case 0:
    case 1:
    case 2: {
      const file = random.pick(filesOf(context));
      write(join(context, file), `${value}\n`);
      return same(`write ${file}`);
    }
    case 3: {
      const file = `${random.pick(['src', 'tool/lib', 'unneeded', 'ignored', 'deep', '.'])}/new${value}${random.pick(['.py', '.log', '.txt'])}`;
      write(join(context, file), 'new\n');
      return same(`add ${file}`);
    }
    case 4: {
      const file = random.pick(
        filesOf(context)
          .filter((each) => /new|readme|gone|u$/.test(each))
          .concat('debug.log'),
      );
      rmSync(join(context, file), { force: true });
      return same(`remove ${file}`);
    }
    case 5:
    case 6: {
      const file = random.pick(filesOf(context));
      chmodSync(join(context, file), random.pick([0o644, 0o755, 0o600, 0o664]));
      return same(`chmod ${file}`);
    }
    case 7: {
      // BuildKit's incremental transfer doesn't see the mode of an empty folder change.
      const folder = random.pick(
        entries(context).filter(
          (each) =>
            lstatSync(join(context, each)).isDirectory() &&
            readdirSync(join(context, each)).length > 0,
        ),
      );
      chmodSync(join(context, folder), random.pick([0o755, 0o775, 0o700]));
      return same(`chmod folder ${folder}`);
    }
    case 8: {
      const file = any();
      lutimesSync(
        join(context, file),
        1_000_000 + random.below(1000),
        1_000_000 + random.below(1000),
      );
      return same(`touch ${file}`);
    }
    case 9: {
      rmSync(join(context, 'deep/up'), { force: true });
      symlinkSync(
        `../${random.pick(['top.txt', 'src', 'none', 'debug.log'])}`,
        join(context, 'deep/up'),
      );
      return same('another link in deep');
    }
    case 10: {
      const folder = `${random.pick(['tool', 'unneeded', 'deep', 'src'])}/void${value}`;
      if (existsSync(join(context, folder))) rmSync(join(context, folder), { recursive: true });
      else mkdirSync(join(context, folder));
      return same(`empty folder ${folder}`);
    }
    case 11: {
      const from = random.pick(['src/a.py', 'src/c.py', 'unneeded/u', 'unneeded/v']);
      const to = from.replace(
        /[a-z](\.py)?$/,
        (_, end: string | undefined) => `${random.pick(['c', 'v', 'w'])}${end ?? ''}`,
      );
      if (existsSync(join(context, from))) renameSync(join(context, from), join(context, to));
      return same(`rename ${from} to ${to}`);
    }
    case 12: {
      const ignore = random.pick([
        [],
        ['*.log', 'ignored', '!ignored/kept.txt'],
        ['**/*.md', '*.log'],
        ['ignored/*', '!ignored/k*', 'unneeded/void*'],
        ['# nothing', '/tool/empty', 'debug.log'],
        [
          '**',
          '!src',
          '!tool',
          '!**/n',
          '!mounted/*',
          '!deep/**',
          '!real',
          '!link',
          '!Dockerfile',
          '!ignored*',
        ],
        ['src/[b-z]*', '*.zz|x', 'deep/*/est', '!deep/er/est/d'],
      ]);
      return { state: { ...state, ignore }, what: `ignore ${ignore.join(' ')}` };
    }
    case 13:
      return line(state, 'comment', `# note ${value}`);
    case 14:
      return line(
        state,
        'tool',
        random.pick(['RUN echo tool > /tool', 'RUN echo tool ${MORE} > /tool']),
      );
    case 15:
      return line(state, 'extra', `RUN echo extra ${value}`);
    case 16:
      return line(state, 'command', random.pick(['CMD ["sh"]', 'CMD ["ls"]', 'CMD  ["sh"]']));
    case 17:
      return line(state, 'trailing', `ARG LATE=${value}`);
    case 18:
      return line(
        state,
        'heredoc',
        `COPY <<EOF /inline\nvalue ${random.pick(['$USED', '${USED:-0}', '2'])}\nEOF`,
      );
    case 19: {
      const buildArgs = {
        ...state.buildArgs,
        [random.pick(['USED', 'UNUSED', 'HTTP_PROXY', 'LATE'])]: `http://${value}`,
      };
      return { state: { ...state, buildArgs }, what: `build arg ${JSON.stringify(buildArgs)}` };
    }
    case 20: {
      const target = random.pick(['', 'app', 'tool', 'ALL']);
      return { state: { ...state, target }, what: `target ${target}` };
    }
    case 21: {
      const file = random.pick(['n', 'other']);
      write(join(named, file), `${value}\n`);
      return same(`write ${file} of the named context`);
    }
    case 22: {
      const addHosts = [random.pick(['one:10.0.0.1', 'one:10.0.0.2', 'two:10.0.0.1'])];
      return { state: { ...state, addHosts }, what: `hosts ${addHosts.join(' ')}` };
    }
    default: {
      if (random.chance(50))
        return { state: { ...state, base: value }, what: `base image ${value}` };
      return { state: { ...state, labels: [`a=${value}`] }, what: `label ${value}` };
    }
  }
}

function line(state: State, mark: string, text: string) {
  return { state: { ...state, lines: { ...state.lines, [mark]: text } }, what: `${mark}: ${text}` };
}

/** Puts a folder back to a copy of it (as a revert in Git does: times change). */
export function restore(copy: string, folder: string): void {
  rmSync(folder, { recursive: true });
  cpSync(copy, folder, { recursive: true, verbatimSymlinks: true });
}

function entries(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
}

function filesOf(folder: string): readonly string[] {
  return entries(folder).filter((each) => lstatSync(join(folder, each)).isFile());
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
