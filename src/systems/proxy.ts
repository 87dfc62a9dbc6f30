import http, { type AgentOptions } from 'node:http';
import process from 'node:process';
import type { Log } from './runner.ts';

/**
 * What is never asked through a proxy: this machine, and the link-local addresses where a runner on
 * EC2, ECS or EKS gets its credentials.
 */
const near = [
  'localhost',
  '127.0.0.1',
  '[::1]',
  '169.254.169.254',
  '[fd00:ec2::254]',
  '169.254.170.2',
  '169.254.170.23',
  '[fd00:ec2::23]',
];

/** The variables as Node takes them. */
export interface ProxyVariables extends NodeJS.ProcessEnv {
  readonly http_proxy?: string;
  readonly https_proxy?: string;
  readonly no_proxy: string;
}

/**
 * Reads `http_proxy`, `https_proxy` and `no_proxy` (or in capitals) as the runner, Docker and curl
 * do: a proxy without a scheme speaks HTTP, and a name in `no_proxy` stands for its subdomains too,
 * which Node alone would not do.
 *
 * @returns undefined without a proxy; `refused` names variables that hold no HTTP proxy.
 */
export function proxyVariables(env: NodeJS.ProcessEnv): {
  readonly variables: ProxyVariables | undefined;
  readonly refused: readonly string[];
} {
  const refused: string[] = [];
  const read = (name: 'http_proxy' | 'https_proxy') => {
    const text = (env[name] || env[name.toUpperCase()] || '').trim();
    if (text === '') return {};
    const url = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
    if (/^https?:/i.test(url) && URL.canParse(url)) return { [name]: url };
    refused.push(name);
    return {};
  };
  const found = { ...read('http_proxy'), ...read('https_proxy') };
  if (Object.keys(found).length === 0) return { variables: undefined, refused };
  const direct = (env['no_proxy'] || env['NO_PROXY'] || '').split(/[\s,]+/).filter(Boolean);
  const named = direct.filter((entry) => /^[a-z\d]/i.test(entry)).map((entry) => `.${entry}`);
  return { variables: { ...found, no_proxy: [...near, ...direct, ...named].join(',') }, refused };
}

/**
 * Sends this process's requests by `fetch` and by Node's own agents through the proxy that the
 * environment names. Clients with agents of their own take `proxyAgents`; @actions/* read the
 * variables themselves.
 *
 * @returns what undoes it.
 */
export function useProxy(env: NodeJS.ProcessEnv, log: Pick<Log, 'notice'>): () => void {
  const { variables, refused } = proxyVariables(env);
  for (const name of refused) {
    log.notice(
      `${name} is left out: only proxies of http:// and https:// can be used here.`,
      title,
    );
  }
  if (variables === undefined) return () => {};
  // Since Node 24.14; a self-hosted runner may be older.
  const set: typeof http.setGlobalProxyFromEnv | undefined = http.setGlobalProxyFromEnv;
  if (set !== undefined) return set(variables);
  if (env['NODE_USE_ENV_PROXY'] !== '1') {
    log.notice(
      `This runner's Node.js (${process.version}) can't be told of the proxy by the action. Update the runner, or set NODE_USE_ENV_PROXY: 1 in the job's env.`,
      title,
    );
  }
  return () => {};
}

/** For clients that make agents of their own, such as the AWS SDK's: options of those agents. */
export function proxyAgents(env: NodeJS.ProcessEnv = process.env): {
  httpAgent?: AgentOptions;
  httpsAgent?: AgentOptions;
} {
  const { variables } = proxyVariables(env);
  if (variables === undefined) return {};
  return { httpAgent: { proxyEnv: variables }, httpsAgent: { proxyEnv: variables } };
}

const title = { title: 'Proxy' };
