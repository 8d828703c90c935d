import { createTheme } from '@mantine/core';
import type { CSSVariablesResolver, MantineColorsTuple } from '@mantine/core';

const dark: MantineColorsTuple = [
  '#dde1e8', '#b9bfca', '#969dab', '#7e8695', '#343a46',
  '#2a2f39', '#20242c', '#15181e', '#101318', '#0b0d11',
];

export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 8, dark: 7 },
  colors: { dark },
  defaultRadius: 'sm',
  radius: { xs: '3px', sm: '6px', md: '8px', lg: '12px', xl: '24px' },
  fontFamily:
    "'Inter Variable', system-ui, -apple-system, 'Segoe UI', 'Noto Sans TC', 'PingFang TC', 'Microsoft JhengHei', 'Noto Sans CJK TC', sans-serif",
  fontFamilyMonospace:
    "'JetBrains Mono Variable', ui-monospace, SFMono-Regular, Menlo, Consolas, 'Noto Sans Mono CJK TC', monospace",
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '1.25rem', lineHeight: '1.4' },
      h2: { fontSize: '1rem', lineHeight: '1.5' },
      h3: { fontSize: '0.875rem', lineHeight: '1.5' },
    },
  },
  cursorType: 'pointer',
  respectReducedMotion: true,
  // By name: with their classes, every page would load each of these components first.
  components: {
    Button: { defaultProps: { size: 'xs' } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } },
    Badge: { defaultProps: { variant: 'light', radius: 'sm' }, styles: { label: { textTransform: 'none', fontWeight: 500 } } },
    Tooltip: { defaultProps: { openDelay: 350, withArrow: true, multiline: true, maw: 360 } },
    Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.4 } } },
    TextInput: { defaultProps: { size: 'sm' } },
    NumberInput: { defaultProps: { size: 'sm' } },
    Textarea: { defaultProps: { size: 'sm' } },
    Select: { defaultProps: { size: 'sm' } },
    Table: { defaultProps: { verticalSpacing: 6, horizontalSpacing: 'sm' } },
  },
});

/** Text that is dimmed must still be readable: 4.5 to 1 on every surface of ours. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-text': '#1b1f27',
    '--mantine-color-dimmed': '#566070',
    '--mantine-color-placeholder': '#6b7482',
    '--mantine-color-teal-light': '#e2f5e8',
    '--mantine-color-teal-light-color': '#136c36',
    '--mantine-color-yellow-light': '#fdf0d3',
    '--mantine-color-yellow-light-color': '#7c5200',
    '--mantine-color-red-light': '#fde8e7',
    '--mantine-color-red-light-color': '#b3261e',
    '--ry-canvas': '#f6f7f9',
    '--ry-surface': '#ffffff',
    '--ry-border': '#e2e5ea',
    '--ry-hover': '#f1f3f6',
    '--ry-selected': '#edf2ff',
    '--ry-grid': '#e9ecef',
    '--ry-gain': '#12713a',
    '--ry-loss': '#b3261e',
    '--ry-changed': '#fff3d6',
    '--ry-changed-text': '#7a4b00',
  },
  dark: {
    '--mantine-color-dimmed': '#969dab',
    '--mantine-color-placeholder': '#8a92a1',
    '--mantine-color-teal-light': '#15301f',
    '--mantine-color-teal-light-color': '#6fd48f',
    '--mantine-color-yellow-light': '#35290f',
    '--mantine-color-yellow-light-color': '#e8ba55',
    '--mantine-color-red-light': '#3b1c1d',
    '--mantine-color-red-light-hover': '#4a2224',
    '--mantine-color-red-light-color': '#ff938a',
    '--mantine-color-gray-light': '#20242c',
    '--ry-canvas': '#101318',
    '--ry-surface': '#171a21',
    '--ry-border': '#2a2f39',
    '--ry-hover': '#20242c',
    '--ry-selected': '#1d2640',
    '--ry-grid': '#262b35',
    '--ry-gain': '#5dd37f',
    '--ry-loss': '#ff8a80',
    '--ry-changed': '#3a2f12',
    '--ry-changed-text': '#f0c765',
  },
});
