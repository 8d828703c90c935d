import { SegmentedControl } from '@mantine/core';
import { IconChartLine } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { api } from '@/shared/api/client';
import { hasEnded } from '@/shared/api/jobs';
import type { Job, Series } from '@/shared/api/types';
import { Chart } from '@/shared/components/Chart';
import { Notice } from '@/shared/components/Notice';
import { Panel } from '@/shared/components/Page';
import { useT } from '@/shared/i18n';
import { formatCompact, formatNumber } from '@/shared/lib/format';

const kEveryMs = 2500;
const kHeight = 210;

/** The numbers that the job prints, as curves that grow. */
export function LiveCurves({ job }: { job: Job }) {
  const t = useT();
  const [wanted, setWanted] = useState<string | null>(null);
  const ended = hasEnded(job);
  const series = useQuery({
    queryKey: ['series', job.job_id, ended],
    queryFn: ({ signal }) => api<Series[]>(`/api/jobs/${job.job_id}/series`, { signal }),
    refetchInterval: ended ? false : kEveryMs,
    placeholderData: (old) => old,
    enabled: job.started_at !== null,
  });
  const drawn = useMemo(() => (series.data ?? []).filter((each) => each.points.length > 0), [series.data]);
  const current = drawn.find((each) => each.name === wanted) ?? drawn[0];
  const option = useMemo(() => {
    if (!current) return null;
    return {
      grid: { left: 8, right: 16, top: 14, bottom: 26, outerBoundsMode: 'same' as const, outerBoundsContain: 'axisLabel' as const },
      tooltip: { trigger: 'axis' as const, valueFormatter: (value: unknown) => formatNumber(Number(value)) },
      xAxis: {
        type: 'value' as const,
        name: current.x_name,
        nameLocation: 'middle' as const,
        nameGap: 24,
        min: 'dataMin' as const,
        max: 'dataMax' as const,
        axisLabel: { formatter: (value: number) => formatCompact(value) },
      },
      yAxis: { type: 'value' as const, scale: true, axisLabel: { formatter: (value: number) => formatCompact(value) } },
      series: [
        {
          name: current.name,
          type: 'line' as const,
          showSymbol: current.points.length < 40,
          symbolSize: 4,
          lineStyle: { width: 1.8 },
          data: current.points,
        },
      ],
    };
  }, [current]);
  // Room is taken when there is something to see, or is likely to be soon: then the log below does not jump.
  if (!current || !option) {
    const soon = series.isPending ? !job.dry_run && job.status === 'SUCCESS' : false;
    if (job.status !== 'RUNNING' && !soon) return null;
    return (
      <Panel title={t('curves.title')} flush>
        <div style={{ height: kHeight }}>
          {!series.isPending && <Notice compact icon={IconChartLine} title={t('curves.none')} />}
        </div>
      </Panel>
    );
  }
  const last = current.points.at(-1);
  return (
    <Panel
      title={t('curves.title')}
      aside={
        drawn.length > 1 && (
          <SegmentedControl
            size="xs"
            styles={{ label: { paddingInline: 10 } }}
            aria-label={t('curves.choose')}
            data={drawn.map((each) => each.name)}
            value={current.name}
            onChange={setWanted}
          />
        )
      }
      flush
    >
      <Chart
        height={kHeight}
        option={option}
        label={t('curves.label', {
          name: current.name,
          n: current.points.length,
          last: formatNumber(last?.[1]),
          x: formatNumber(last?.[0]),
        })}
      />
    </Panel>
  );
}
