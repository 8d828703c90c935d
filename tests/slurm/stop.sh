#!/usr/bin/env bash
# stop.sh FOLDER: ends the cluster that start.sh FOLDER began, with its jobs.
set -uo pipefail

folder=${1:?usage: stop.sh FOLDER}
export SLURM_CONF=$folder/slurm.conf

# Only processes that were started with this configuration: a pid file may be old.
is_ours() { tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | grep -qxF "SLURM_CONF=$SLURM_CONF"; }
lives() { [[ $(sed -n 's/^State:\s*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) =~ [RSDTt] ]]; }

timeout 5 scancel --full --user="$(id -un)" 2>/dev/null
pids=()
for file in "$folder"/run/slurmd.*.pid "$folder/run/slurmctld.pid" "$folder/run/munged.pid"; do
  pid=$(cat "$file" 2>/dev/null) || continue
  is_ours "$pid" && kill "$pid" 2>/dev/null && pids+=("$pid")
done
for _ in $(seq 50); do
  left=0
  for pid in "${pids[@]}"; do lives "$pid" && left=1; done
  ((left)) || break
  sleep 0.1
done
for pid in "${pids[@]}" $(pgrep -x slurmstepd); do
  if lives "$pid" && is_ours "$pid"; then kill -KILL "$pid" 2>/dev/null; fi
done
exit 0
