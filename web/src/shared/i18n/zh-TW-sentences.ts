import type { Sentences } from './index';

/**
 * Why a job waits, and how it ended when no log says so. The server says it in English (core/queue,
 * core/exec, core/service); tests/sentences.test.ts reads those files and fails when they change.
 */
export const sentences: Sentences = [
  [/^(\S+) to succeed$/, '等待 $1 成功'],
  [/^(\S+) and (\d+) other jobs? to succeed$/, '等待 $1 與另外 $2 個工作成功'],
  [/^retry at (.+)$/, '將於 $1 重試'],
  [/^paused$/, '佇列已暫停'],
  [/^draining$/, '佇列排空中'],
  [/^another (\S+) job to end: they run one at a time$/, '等待另一個 $1 工作結束：一次只執行一個'],

  [/^(\d+) slots?, but slurm\.slots is (\d+)$/, '需要 $1 個名額，但 slurm.slots 為 $2'],
  [/^(\d+) slots?, but the server has (\d+)$/, '需要 $1 個名額，但伺服器只有 $2 個'],
  [/^(\d+) slots? of the default group, but its limit is (\d+)$/, '需要預設群組的 $1 個名額，但其上限為 $2'],
  [/^(\d+) slots? of group (.+), but its limit is (\d+)$/, '需要群組 $2 的 $1 個名額，但其上限為 $3'],
  [/^(\d+) GPUs?, but the server has none configured$/, '需要 $1 個 GPU，但伺服器沒有設定 GPU'],
  [/^(\d+) GPUs?, but the server has (\d+)$/, '需要 $1 個 GPU，但伺服器只有 $2 個'],

  // The longer one first: the end of the shorter one would fit into a group's name.
  [/^(\d+) slots?: (\d+) of (\d+) free, (\d+) kept for (\S+)$/, '需要 $1 個名額：$3 個中有 $2 個空閒，$4 個保留給 $5'],
  [/^(\d+) slots?: (\d+) of (\d+) free$/, '需要 $1 個名額：$3 個中有 $2 個空閒'],
  [/^(\d+) slots? of slurm\.slots: (\d+) of (\d+) free$/, '需要 slurm.slots 的 $1 個名額：$3 個中有 $2 個空閒'],
  [/^(\d+) slots? of the default group: (\d+) of (\d+) free, (\d+) kept for (\S+)$/, '需要預設群組的 $1 個名額：$3 個中有 $2 個空閒，$4 個保留給 $5'],
  [/^(\d+) slots? of the default group: (\d+) of (\d+) free$/, '需要預設群組的 $1 個名額：$3 個中有 $2 個空閒'],
  [/^(\d+) slots? of group (.+): (\d+) of (\d+) free, (\d+) kept for (\S+)$/, '需要群組 $2 的 $1 個名額：$4 個中有 $3 個空閒，$5 個保留給 $6'],
  [/^(\d+) slots? of group (.+): (\d+) of (\d+) free$/, '需要群組 $2 的 $1 個名額：$4 個中有 $3 個空閒'],
  [/^(\d+) GPUs?: (\d+) of (\d+) free$/, '需要 $1 個 GPU：$3 個中有 $2 個空閒'],

  [/^more than (\d+) jobs before it$/, '前面有超過 $1 個工作'],
  [/^(\d+) jobs? before it$/, '前面有 $1 個工作'],
  [/^more than (\d+) GPU jobs before it$/, '前面有超過 $1 個 GPU 工作'],
  [/^(\d+) GPU jobs? before it$/, '前面有 $1 個 GPU 工作'],
  [/^more than (\d+) jobs of the default group before it$/, '前面有預設群組的超過 $1 個工作'],
  [/^(\d+) jobs? of the default group before it$/, '前面有預設群組的 $1 個工作'],
  [/^more than (\d+) jobs of group (.+) before it$/, '前面有群組 $2 的超過 $1 個工作'],
  [/^(\d+) jobs? of group (.+) before it$/, '前面有群組 $2 的 $1 個工作'],

  [/^Slurm has not looked at it yet$/, 'Slurm 尚未處理它'],
  [/^Slurm: jobs with a higher priority are before it$/, 'Slurm：前面有優先順序更高的工作'],
  [/^Slurm: no node has what it asks for free$/, 'Slurm：沒有節點有足夠的空閒資源'],
  [/^Slurm: its begin time has not come$/, 'Slurm：尚未到開始時間'],
  [/^Slurm: its partition is down$/, 'Slurm：其分割區已停用'],
  [/^Slurm: its partition is inactive$/, 'Slurm：其分割區未啟用'],
  [/^Slurm: an administrator holds it$/, 'Slurm：被管理員保留'],
  [/^Slurm: it is held$/, 'Slurm：已被保留'],
  [/^Slurm: a node that it needs is not available$/, 'Slurm：需要的節點無法使用'],
  [/^Slurm: it waits$/, 'Slurm：等待中'],
  [/^cancelled before it started$/, '開始前已取消'],
  [/^(\S+) did not succeed, and this job was to run after it$/, '$1 未成功，而這個工作須在它之後執行'],
  [/^the command was killed by (\S+)$/, '指令被 $1 終止'],
  [/^the command ran longer than its timeout and was ended$/, '指令超過時限，已被終止'],
  [/^the log grew above log_max_bytes \((\d+)\) and the command was ended$/, '記錄檔超過 log_max_bytes（$1），指令已被終止'],
  [/^the job's supervisor was told to stop, as at a shutdown of the machine$/, '工作的監督程序被要求停止，例如主機關機'],
  [/^the job's supervisor could not be started$/, '無法啟動工作的監督程序'],
  [/^the job's supervisor was killed, or the machine went down under it$/, '工作的監督程序被終止，或主機中斷'],
  [/^it was cancelled in Slurm before it began$/, '開始前已在 Slurm 中取消'],
  [/^it was cancelled in Slurm$/, '已在 Slurm 中取消'],
  [/^Slurm ended the job at its time limit$/, 'Slurm 因時限結束了工作'],

  // Slurm's own word for it.
  [/^Slurm: (.+)$/, 'Slurm：$1'],
];
