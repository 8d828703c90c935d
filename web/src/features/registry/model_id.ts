import type { RegistryModel } from '@/shared/api/types';

/** A model has no id of its own: this is what tells it from the others. */
export const modelId = (model: Pick<RegistryModel, 'run_id' | 'mode' | 'ticker'>) =>
  `${model.run_id}:${model.mode}:${model.ticker}`;

export function parseModelId(id: string) {
  const [run_id = '', mode = '', ...ticker] = id.split(':');
  return { run_id, mode, ticker: ticker.join(':') };
}
