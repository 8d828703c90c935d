import { Skeleton, useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import type { ChartOption, Charts } from './echarts';

interface Props {
  option: ChartOption;
  height: number;
  /** What a person who does not see it should know. */
  label: string;
}

/** A drawing that is loaded when it is first needed, and follows the size and the colours of the page. */
export function Chart({ option, height, label }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [charts, setCharts] = useState<Charts | null>(null);
  const scheme = useComputedColorScheme('light');

  useEffect(() => {
    let gone = false;
    void import('./echarts').then((module) => {
      if (!gone) setCharts(module);
    });
    return () => {
      gone = true;
    };
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!charts || !element) return;
    const chart = charts.init(element, scheme);
    chart.on('finished', () => element.setAttribute('data-drawn', ''));
    const observer = new ResizeObserver(() => chart.resize());
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.dispose();
    };
  }, [charts, scheme]);

  useEffect(() => {
    if (!charts || !box.current) return;
    charts.draw(box.current, option);
  }, [charts, option, scheme]);

  return (
    <div role="img" aria-label={label} style={{ height, position: 'relative' }}>
      {!charts && <Skeleton height={height} />}
      <div ref={box} style={{ height, width: '100%' }} />
    </div>
  );
}
