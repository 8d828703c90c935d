#!/usr/bin/env bash
# ./run demo [--exit] [--port N]: the main job of the product, on the sample workload. A training is
# submitted, an evaluation of the run it produced, and a backtest with its model: one chain, of which
# each job takes what the one before has found.
set -euo pipefail
runyard=$1
shift
stop_at_end=false port=8000 state=()
while (($#)); do
  case $1 in
    --exit) stop_at_end=true ;;
    --port) port=$2 && shift ;;
    --state-dir) state=(--state-dir "$2") && shift ;;
    *) echo "error: ./run demo takes --exit, --port N and --state-dir DIR, not '$1'" >&2 && exit 2 ;;
  esac
  shift
done

ready=$(mktemp)
cleanup() {
  [[ -n ${server:-} ]] && kill "$server" 2>/dev/null && wait "$server" || true
  rm -f "$ready"
}
trap cleanup EXIT
"$runyard" serve --workspace . --port "$port" "${state[@]}" >"$ready" &
server=$!
until [[ -s $ready ]]; do
  kill -0 "$server" 2>/dev/null || { wait "$server" || exit $?; }
  sleep 0.1
done
cat "$ready"
url=$(grep -o 'http://[^ ]*' "$ready")
export RUNYARD_SERVER=$url

"$runyard" submit train --config-path configs/smoke.yaml --follow \
  --then eval-metrics --run-id '{hint.run_id}' \
  --then backtest --config-path configs/backtest/base.yaml --ticker GOOG \
  --model-path 'runs/{hint.run_id}/models/finetuned/GOOG/final.zip'

printf '\n'
"$runyard" ls --limit 3
printf '\nJobs    %s/api/jobs/recent\n' "$url"
"$runyard" ls --limit 3 --json | /usr/bin/python3 -c '
import json, sys
for job in reversed(json.load(sys.stdin)):
    for link in job["links"]:
        print("%-14s %s %s" % (job["job_type"], link["name"], link["value"]))'
$stop_at_end && exit 0
printf '\nThe server goes on at %s; Ctrl-C stops it, jobs that run go on.\n' "$url"
wait "$server"
