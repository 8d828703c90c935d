/** The parts of ECharts that are used, and nothing else of it. */
import { LineChart } from 'echarts/charts';
import type { LineSeriesOption } from 'echarts/charts';
import {
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  TooltipComponent,
} from 'echarts/components';
import type {
  DataZoomComponentOption,
  GridComponentOption,
  LegendComponentOption,
  TooltipComponentOption,
} from 'echarts/components';
import { getInstanceByDom, init as create, use as include } from 'echarts/core';
import type { ComposeOption } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';

include([
  LineChart,
  GridComponent,
  TooltipComponent,
  LegendComponent,
  DataZoomComponent,
  MarkAreaComponent,
  CanvasRenderer,
]);

export type ChartOption = ComposeOption<
  | LineSeriesOption
  | GridComponentOption
  | TooltipComponentOption
  | LegendComponentOption
  | DataZoomComponentOption
>;

const kLight = { text: '#566070', line: '#e2e5ea', surface: '#ffffff', strong: '#1b1f27' };
const kDark = { text: '#969dab', line: '#2a2f39', surface: '#20242c', strong: '#dde1e8' };

function themeOf(scheme: 'light' | 'dark') {
  const color = scheme === 'dark' ? kDark : kLight;
  const axis = {
    axisLine: { lineStyle: { color: color.line } },
    axisTick: { lineStyle: { color: color.line } },
    axisLabel: { color: color.text, fontSize: 11 },
    splitLine: { lineStyle: { color: color.line } },
    nameTextStyle: { color: color.text },
  };
  return {
    color:
      scheme === 'dark'
        ? ['#7c9dff', '#f0b95b', '#63d297', '#ff938a', '#c49bff', '#58c9d6']
        : ['#3b5bdb', '#c77700', '#168a4a', '#c92a2a', '#7048e8', '#0c8599'],
    backgroundColor: 'transparent',
    textStyle: { fontFamily: "'Inter Variable', system-ui, sans-serif", color: color.text },
    categoryAxis: { ...axis, splitLine: { show: false } },
    valueAxis: axis,
    timeAxis: { ...axis, splitLine: { show: false } },
    legend: { textStyle: { color: color.text }, inactiveColor: scheme === 'dark' ? '#4a5160' : '#b6bcc6' },
    tooltip: {
      backgroundColor: color.surface,
      borderColor: color.line,
      textStyle: { color: color.strong, fontSize: 12 },
      axisPointer: { lineStyle: { color: color.text }, crossStyle: { color: color.text } },
    },
    dataZoom: {
      borderColor: color.line,
      textStyle: { color: color.text },
      handleStyle: { color: color.surface, borderColor: color.text },
      fillerColor: scheme === 'dark' ? 'rgba(124,157,255,.14)' : 'rgba(59,91,219,.1)',
      dataBackground: { lineStyle: { color: color.text }, areaStyle: { color: color.line } },
    },
  };
}

export function init(element: HTMLElement, scheme: 'light' | 'dark') {
  getInstanceByDom(element)?.dispose();
  return create(element, themeOf(scheme), { renderer: 'canvas' });
}

/** Lines that are gone go; the zoom stays. */
export function draw(element: HTMLElement, option: ChartOption): void {
  getInstanceByDom(element)?.setOption(
    { animation: false, aria: { enabled: false }, ...option },
    { replaceMerge: ['series', 'xAxis', 'yAxis', 'grid'] },
  );
}

export type Charts = { init: typeof init; draw: typeof draw };
