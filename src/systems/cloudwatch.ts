import { clientConfig, type ClientOptions } from './aws-clients.ts';

/** What CloudWatch knows of one version behind an alias. */
export interface Metrics {
  /**
   * Sum of Lambda's `Errors` metric for a version invoked through an alias, from `since` (ms since
   * 1970) to now. Metrics arrive up to some minutes late.
   *
   * @returns 'forbidden' when the caller may not read metrics: watching is a bonus, never a condition.
   */
  errors(of: {
    functionName: string;
    alias: string;
    version: string;
    since: number;
    until: number;
  }): Promise<number | 'forbidden'>;
}

export interface MetricsConfig extends ClientOptions {
  /** Ends every request in flight. */
  readonly signal?: AbortSignal | undefined;
}

/** Connects to CloudWatch in one Region. The SDK is loaded at the first call. */
export function connectMetrics(config: MetricsConfig): Metrics {
  let connected: ReturnType<typeof load> | undefined;
  return {
    async errors({ functionName, alias, version, since, until }) {
      const { client, commands } = await (connected ??= load(config));
      try {
        // Dimensions of "a version behind an alias":
        // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        const found = await client.send(
          new commands.GetMetricStatisticsCommand({
            Namespace: 'AWS/Lambda',
            MetricName: 'Errors',
            Dimensions: [
              { Name: 'FunctionName', Value: functionName },
              { Name: 'Resource', Value: `${functionName}:${alias}` },
              { Name: 'ExecutedVersion', Value: version },
            ],
            // Statistics are kept by whole minutes.
            StartTime: new Date(Math.floor(since / 60_000) * 60_000),
            EndTime: new Date(until + 60_000),
            Period: 60,
            Statistics: ['Sum'],
          }),
          config.signal === undefined ? {} : { abortSignal: config.signal },
        );
        return (found.Datapoints ?? []).reduce((sum, point) => sum + (point.Sum ?? 0), 0);
      } catch (error) {
        if (error instanceof Error && forbidden.has(error.name)) return 'forbidden';
        throw error;
      }
    },
  };
}

const forbidden = new Set(['AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation']);

async function load(config: MetricsConfig) {
  const commands = await import('@aws-sdk/client-cloudwatch');
  return { client: new commands.CloudWatchClient(clientConfig(config)), commands };
}
