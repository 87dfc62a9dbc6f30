import type { ServiceRequest, ServiceResponse } from '../service.ts';
import type { StoredFunction } from './functions.ts';

/** `X-Amz-Target` of the one CloudWatch call that is known here. */
export const metricsTarget = 'GraniteServiceVersion20100801.GetMetricStatistics';

/** The `Errors` metric of a version behind an alias, as CloudWatch's JSON protocol answers it. */
export function metricStatistics(
  request: ServiceRequest,
  functions: ReadonlyMap<string, StoredFunction>,
): ServiceResponse {
  const { MetricName, Dimensions } = JSON.parse(request.body.toString()) as {
    MetricName: string;
    Dimensions: { Name: string; Value: string }[];
  };
  const value = (name: string) => Dimensions.find((dimension) => dimension.Name === name)?.Value;
  const fn = functions.get(value('FunctionName') ?? '');
  const errors = fn?.errors.get(value('ExecutedVersion') ?? '');
  return {
    status: 200,
    headers: { 'content-type': 'application/x-amz-json-1.0' },
    body: JSON.stringify({
      Label: MetricName,
      Datapoints:
        errors === undefined
          ? []
          : [{ Timestamp: Math.floor(Date.now() / 1000), Sum: errors, Unit: 'Count' }],
    }),
  };
}
