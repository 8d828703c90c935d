#!/usr/bin/env bash
# ./run demo [--exit] [--port N] [--workspace DIR] [--state-dir DIR]: the main job of the product, on
# the sample workload. A training is submitted, an evaluation of the run it produced, and a backtest
# with its model: one chain, of which each job takes what the one before has found.
set -euo pipefail
runyard=$1
shift
stop_at_end=false port=8000 state=()
workspace=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
while (($#)); do
  case $1 in
    --exit) stop_at_end=true ;;
    --port | --workspace | --state-dir)
      (($# > 1)) || { echo "error: $1 needs a value" >&2 && exit 2; }
      case $1 in
        --port) port=$2 ;;
        --workspace) workspace=$2 ;;
        --state-dir) state=(--state-dir "$2") ;;
      esac
      shift
      ;;
    *)
      echo "error: ./run demo takes --exit, --port N, --workspace DIR and --state-dir DIR, not '$1'" >&2
      exit 2
      ;;
  esac
  shift
done

started=$(mktemp) submitted=$(mktemp)
server=''
cleanup() {
  [[ -n $server ]] && kill "$server" 2>/dev/null && wait "$server" || true
  rm -f "$started" "$submitted"
}
trap cleanup EXIT
"$runyard" serve --workspace "$workspace" --port "$port" "${state[@]}" >"$started" &
server=$!
until [[ -s $started ]]; do
  kill -0 "$server" 2>/dev/null || { wait "$server" || exit $?; }
  sleep 0.1
done
cat "$started"
RUNYARD_SERVER=$(grep -o 'http://[^ ]*' "$started")
export RUNYARD_SERVER

# What a job has printed, without its progress bars: the lines from one pattern to another.
numbers() { "$runyard" log "$1" | tr '\r' '\n' | sed -n "/$2/,/$3/p" | cut -c -68; }

# follow JOB FROM TO: its progress, and then the numbers.
follow() {
  local code=0
  "$runyard" wait "$1" || code=$?
  if ((code)); then
    "$runyard" log --tail 20 "$1"
    exit "$code"
  fi
  numbers "$@"
  printf '\n'
}

cat <<'COMMAND'

$ runyard submit train --config-path configs/smoke.yaml \
    --then eval-metrics --run-id '{hint.run_id}' \
    --then backtest --config-path configs/backtest/base.yaml --ticker GOOG \
           --model-path 'runs/{hint.run_id}/models/finetuned/GOOG/final.zip'

COMMAND
"$runyard" submit train --config-path configs/smoke.yaml \
  --then eval-metrics --run-id '{hint.run_id}' \
  --then backtest --config-path configs/backtest/base.yaml --ticker GOOG \
  --model-path 'runs/{hint.run_id}/models/finetuned/GOOG/final.zip' >"$submitted"
{ read -r train && read -r evaluation && read -r backtest; } <"$submitted"

follow "$train" '^run_id:' '^run_dir:'
follow "$evaluation" '^ticker ' '^GOOG'
follow "$backtest" 'buy and hold' 'win rate'

# The training has also asked for a new index of the registry.
"$runyard" ls --type index_runs --json |
  /usr/bin/python3 -c 'import json, sys; [print(job["job_id"]) for job in json.load(sys.stdin)]' |
  xargs --no-run-if-empty "$runyard" wait >/dev/null

printf '$ runyard ls\n'
"$runyard" ls --limit 4 2>/dev/null
printf '\n'
for job in "$train" "$evaluation" "$backtest"; do
  "$runyard" show "$job" --json
done | /usr/bin/python3 -c '
import json, os, sys
for line in sys.stdin:
    job = json.loads(line)
    where = {"run_id": "runs/", "bt_run_id": "backtests/"}
    made = [where[hint] + value for hint, value in job["artifacts_hint"].items() if hint in where]
    print("%-13s %s/api/jobs/%s/log" % (job["job_type"], os.environ["RUNYARD_SERVER"], job["job_id"]))
    print("%-13s %s" % ("", "  ".join(made)))'
$stop_at_end && exit 0
printf '\nThe server goes on at %s; Ctrl-C stops it, and jobs that run go on.\n' "$RUNYARD_SERVER"
wait "$server"
