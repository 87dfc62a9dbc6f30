import { expect, test } from 'vitest';
import { mountFlag, planMounts, type MountsRequest } from '../../src/image/cache-mounts.ts';

function plan(dockerfile: string | undefined, more: Partial<MountsRequest> = {}) {
  return planMounts({
    dockerfile,
    wanted: 'auto',
    target: '',
    buildArgs: [],
    platforms: [],
    builderPlatform: 'linux/amd64',
    env: {},
    ...more,
  });
}

const ids = (found: ReturnType<typeof plan>) => found.mounts.map(({ id }) => id);
const plain = { sharing: 'shared', uid: undefined, gid: undefined, mode: undefined };

test('a mount with all that BuildKit tells it by, over lines and comments', () => {
  const found = plan(`
    FROM python:3.13
    RUN --mount=type=cache,target=/root/.cache/pip \\
      # a comment
      --mount=type=bind,source=requirements.txt,target=/r.txt \\
      --mount=target=/var/cache/apt,type=cache,sharing=locked,id=apt,uid=1000,gid=1000,mode=0750 \\
      pip install -r /r.txt
  `);
  expect(found).toEqual({
    mounts: [
      { id: '/root/.cache/pip', target: '/root/.cache/pip', ...plain },
      {
        id: 'apt',
        target: '/var/cache/apt',
        sharing: 'locked',
        uid: '1000',
        gid: '1000',
        mode: '0750',
      },
    ],
    notices: [],
  });
});

test('a heredoc that only talks of mounts has none; one after it is found', () => {
  const found = plan(`FROM x
RUN <<EOF
RUN --mount=type=cache,target=/not/this true
EOF
RUN --mount=type=cache,dst=/a/../b/ <<-SH
	true
	SH
run --mount=type=cache,destination=/c true --mount=type=cache,target=/d
`);
  expect(ids(found)).toEqual(['/b', '/c']);
});

test('the same cache twice is one; another owner makes another cache', () => {
  const mount = (more: string) => `RUN --mount=type=cache,id=x,target=/x${more} true`;
  expect(
    plan(['FROM a', mount(''), mount(',sharing=locked'), mount(',uid=5')].join('\n')).mounts,
  ).toMatchObject([{ id: 'x' }, { id: 'x', uid: '5' }]);
});

test('variables: arguments, defaults, global ones, ENV, inherited, from the environment', () => {
  const found = plan(
    `ARG BASE=one
ARG WHERE=/global
FROM img AS \${BASE}x
FROM img AS base
ARG WHERE
ENV HOME=/home/app CACHE=/c
FROM base AS app
ARG NAME=pip
ARG GIVEN
ARG FROM_ENV
RUN --mount=type=cache,target=$HOME/.cache/\${NAME} a
RUN --mount=type=cache,id=\${GIVEN:-none}-$FROM_ENV,target=/x b
RUN --mount=type=cache,target=$CACHE c
RUN --mount=type=cache,target=$WHERE d
`,
    { buildArgs: ['GIVEN=given', 'FROM_ENV', 'NAME=uv'], env: { FROM_ENV: 'env' } },
  );
  expect(found).toMatchObject({ notices: [] });
  expect(ids(found)).toEqual(['/home/app/.cache/uv', 'given-env', '/c', '/global']);
});

test('what only BuildKit can know is left out, and said', () => {
  const found = plan(`FROM node
ENV PNPM_HOME=$HOME/pnpm
ARG OTHER=$HOME/x
RUN --mount=type=cache,target=$HOME/.npm a
RUN --mount=type=cache,target=$PNPM_HOME b
RUN --mount=type=cache,target=$OTHER c
RUN --mount=type=cache,target=/from,from=seed d
RUN --mount=type=cache,target=/odd,id=a{b} e
RUN --mount=type=cache,target=/fine e
`);
  expect(ids(found)).toEqual(['/fine']);
  expect(found.notices).toEqual([
    'The cache mount `type=cache,target=$HOME/.npm` is not kept: $HOME may come from the base image.',
    'The cache mount `type=cache,target=$PNPM_HOME` is not kept: $PNPM_HOME may come from the base image.',
    'The cache mount `type=cache,target=$OTHER` is not kept: $OTHER may come from the base image.',
    'The cache mount `type=cache,target=/from,from=seed` is not kept: it starts from another stage or image (from=).',
    'The cache mount `type=cache,target=/odd,id=a{b}` is not kept: its id or target has unusual characters.',
  ]);
});

test('stages that the target does not need are left out', () => {
  const text = `FROM a AS tools
RUN --mount=type=cache,target=/tools x
FROM a AS unused
RUN --mount=type=cache,target=/unused x
FROM a AS build
RUN --mount=type=cache,target=/build --mount=from=tools,target=/t x
FROM a AS docs
RUN --mount=type=cache,target=/docs x
FROM build AS last
COPY --from=0 /x /x
`;
  expect(ids(plan(text))).toEqual(['/tools', '/build']);
  expect(ids(plan(text, { target: 'docs' }))).toEqual(['/docs']);
});

test('a cache for each platform', () => {
  const text = `FROM a
ARG TARGETARCH
RUN --mount=type=cache,id=go-$TARGETARCH,target=/go x
RUN --mount=type=cache,target=/both x
`;
  expect(ids(plan(text, { platforms: ['linux/amd64', 'linux/arm64/v8'] }))).toEqual([
    'go-amd64',
    '/both',
    'go-arm64',
  ]);
});

test('listed, off, and what is listed but not there', () => {
  const text = 'FROM a\nRUN --mount=type=cache,id=a,target=/a --mount=type=cache,target=/b x\n';
  expect(plan(text, { wanted: 'off' })).toEqual({ mounts: [], notices: [] });
  expect(ids(plan(text, { wanted: ['/a'] }))).toEqual(['a']);
  expect(plan(text, { wanted: ['/c'] })).toEqual({
    mounts: [],
    notices: ['cache-mounts: no `RUN --mount=type=cache` of the build has the target /c.'],
  });
  // A Dockerfile that isn't on this machine: the user is believed.
  expect(plan(undefined, { wanted: ['/c/'] }).mounts).toEqual([
    { id: '/c', target: '/c/', ...plain },
  ]);
  expect(plan(undefined)).toEqual({ mounts: [], notices: [] });
});

test('a Dockerfile that BuildKit will refuse is no failure here', () => {
  expect(plan('FROM a\nBROKEN x')).toEqual({
    mounts: [],
    notices: ['Cache mounts are not looked for: the instruction BROKEN is not known.'],
  });
});

test('the flag of the same cache elsewhere', () => {
  const [mount] = plan(
    'FROM a\nRUN --mount=type=cache,id=a/b,target=/x,sharing=private,uid=1,mode=700 x',
  ).mounts;
  expect(mount && mountFlag(mount, '/m')).toBe(
    '--mount=type=cache,target=/m,id=a/b,sharing=private,uid=1,mode=700',
  );
});
