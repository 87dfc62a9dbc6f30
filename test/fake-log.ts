import type { Annotation, Log } from '../src/systems/runner.ts';

/** A log that keeps its lines: `level: text`, groups as `group: title`. */
export function collectLog(): {
  log: Log;
  lines: string[];
  annotations: (Annotation & { level: string; message: string })[];
} {
  const lines: string[] = [];
  const annotations: (Annotation & { level: string; message: string })[] = [];
  const say = (level: string) => (message: string, at?: Annotation) => {
    lines.push(`${level}: ${message}`);
    if (level !== 'info' && level !== 'debug') annotations.push({ level, message, ...at });
  };
  const log: Log = {
    info: say('info'),
    debug: say('debug'),
    notice: say('notice'),
    warning: say('warning'),
    error: say('error'),
    group: (title, work) => {
      lines.push(`group: ${title}`);
      return work(log);
    },
  };
  return { log, lines, annotations };
}
