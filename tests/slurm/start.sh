#!/usr/bin/env bash
# start.sh FOLDER [NODES]: a private Slurm cluster on loopback, for tests. All of its state is below
# FOLDER (an absolute path without spaces); it needs root, and no systemd. Prints SLURM_CONF=<file>.
# SLURM_PORT is the first of NODES + 1 ports. stop.sh FOLDER ends it.
set -euo pipefail

folder=${1:?usage: start.sh FOLDER [NODES]}
nodes=${2:-2}
port=${SLURM_PORT:-27817}
host=$(hostname -s)
conf=$folder/slurm.conf
mkdir -p "$folder"/{run,log,state/controller}
chmod 755 "$folder" "$folder"/*
(umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")

{
  cat <<CONF
ClusterName=tests
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/run/munge.sock
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$folder/state/controller
SlurmdSpoolDir=$folder/state/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SwitchType=switch/none
MpiDefault=none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
AccountingStorageType=accounting_storage/none
KillWait=3
CompleteWait=0
SlurmctldTimeout=30
SlurmdTimeout=10
InactiveLimit=0
JobRequeue=0
ReturnToService=2
EnforcePartLimits=ALL
GresTypes=gpu
SlurmdParameters=config_overrides
CONF
  for i in $(seq "$nodes"); do
    echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=4 RealMemory=4000" \
      "Gres=gpu:2 State=UNKNOWN"
  done
  echo "PartitionName=main Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE DefMemPerCPU=200 State=UP"
} >"$conf"

# A GPU is a device file to Slurm; any character device will do.
for i in $(seq "$nodes"); do
  mkdir -p "$folder/state/n$i"
  for gpu in 0 1; do
    [[ -e $folder/gpu$gpu ]] || mknod "$folder/gpu$gpu" c 1 3
    echo "NodeName=n$i Name=gpu File=$folder/gpu$gpu"
  done
done >"$folder/gres.conf"

export SLURM_CONF=$conf
trap '[[ $? == 0 ]] || "$(dirname "$0")/stop.sh" "$folder"' EXIT
munged --key-file="$folder/munge.key" --socket="$folder/run/munge.sock" \
  --log-file="$folder/log/munged.log" --pid-file="$folder/run/munged.pid" \
  --seed-file="$folder/run/munged.seed" >/dev/null
slurmctld -f "$conf"
for i in $(seq "$nodes"); do slurmd -f "$conf" -N "n$i"; done

for _ in $(seq 300); do
  idle=$(sinfo --noheader --Node --states=idle --format=%N 2>/dev/null | sort -u | wc -l)
  if ((idle >= nodes)); then
    echo "SLURM_CONF=$conf"
    exit 0
  fi
  sleep 0.1
done
echo "the nodes did not become idle within 30 s" >&2
tail -n 20 "$folder"/log/*.log >&2
exit 1
