#!/usr/bin/env bash
# A whole SLURM on one machine for tests: slurmctld, several slurmd told apart by name and port,
# fake GPUs, and on request accounting (slurmdbd on MariaDB). Debian's packages, root, no container.
#
#   one_machine_slurm.sh start     install what is missing, start what is not running (idempotent)
#   one_machine_slurm.sh stop      end the jobs and the daemons that were started here
#   one_machine_slurm.sh status    nodes and queue
#
#   SLURM_TEST_NODES=2       nodes n0, n1, …
#   SLURM_TEST_GPUS=2        fake GPUs of each node
#   SLURM_TEST_CPUS=4        CPUs that each node claims to have
#   SLURM_TEST_MEM=8000      MB that each node claims to have
#   SLURM_TEST_ACCOUNTING=0  1: with slurmdbd, so that sacct answers
#   SLURM_TEST_SITE=0        1: partitions as a site has them (below)
#   SLURM_TEST_DIR=/var/lib/slurm-test   state, logs, process ids
#
# Partitions: gpu (default); gpu_low, whose jobs those of gpu preempt and SLURM requeues. With
# SLURM_TEST_SITE: cpu (default, n0, which has no GPU), gpu for at most a day, gpu-long, debug.
# A machine that has a SLURM of its own is left alone.
set -euo pipefail

nodes=${SLURM_TEST_NODES:-2}
gpus=${SLURM_TEST_GPUS:-2}
cpus=${SLURM_TEST_CPUS:-4}
memory=${SLURM_TEST_MEM:-8000}
accounting=${SLURM_TEST_ACCOUNTING:-0}
site=${SLURM_TEST_SITE:-0}
folder=${SLURM_TEST_DIR:-/var/lib/slurm-test}
host=$(hostname -s)
socket=/run/mysqld/slurm-test.sock
link=/etc/slurm/slurm.conf # where commands look that have no SLURM_CONF, as jobs' srun
export SLURM_CONF=$folder/slurm.conf

running() { [ -s "$folder/$1.pid" ] && kill -0 "$(cat "$folder/$1.pid")" 2>/dev/null; }

# Start a daemon, in a session of its own: what ends the tests must not end it too.
launch() { # name, command …
  local name=$1
  shift
  setsid "$@" >"$folder/log/$name.out" 2>&1 </dev/null 9>&- &
  echo $! >"$folder/$name.pid"
}

finish() { # name
  running "$1" || { rm -f "$folder/$1.pid"; return 0; }
  local process
  process=$(cat "$folder/$1.pid")
  kill "$process"
  for _ in $(seq 100); do
    kill -0 "$process" 2>/dev/null || break
    sleep 0.1
  done
  rm -f "$folder/$1.pid"
}

finish_nodes() {
  local file
  for file in "$folder"/slurmd-n*.pid; do
    [ -e "$file" ] && finish "$(basename "$file" .pid)"
  done
  return 0
}

until_true() { # attempts of 0.2 s, command …
  local attempts=$1
  shift
  for _ in $(seq "$attempts"); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.2
  done
  echo "one_machine_slurm.sh: gave up waiting for: $*" >&2
  tail -n 20 "$folder"/log/* >&2
  return 1
}


install_packages() {
  local packages=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge)
  [ "$accounting" = 1 ] && packages+=(slurmdbd slurm-wlm-mysql-plugin mariadb-server)
  dpkg -s "${packages[@]}" >/dev/null 2>&1 && return 0
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${packages[@]}" >/dev/null
}

# munged refuses a key or folder that others may read.
start_munge() {
  munge -n >/dev/null 2>&1 && return 0
  [ -s /etc/munge/munge.key ] || head -c 1024 /dev/urandom >/etc/munge/munge.key
  mkdir -p /run/munge /var/log/munge /var/lib/munge
  chown munge: /etc/munge/munge.key /run/munge /var/log/munge /var/lib/munge
  chmod 400 /etc/munge/munge.key
  chmod 755 /run/munge
  launch munged setpriv --reuid=munge --regid=munge --clear-groups munged --foreground --force
  until_true 50 munge -n
}

start_database() {
  if ! running mariadbd; then
    mkdir -p /run/mysqld
    chown mysql: "$folder/database" /run/mysqld
    [ -d "$folder/database/mysql" ] || mariadb-install-db --user=mysql --skip-test-db \
      --datadir="$folder/database" --auth-root-authentication-method=socket >"$folder/log/install-db" 2>&1
    launch mariadbd mariadbd --no-defaults --user=mysql --datadir="$folder/database" \
      --socket="$socket" --skip-networking --innodb-buffer-pool-size=128M
    until_true 100 mariadb --socket="$socket" -e 'select 1'
    mariadb --socket="$socket" -e "
      create database if not exists slurm_acct_db;
      create user if not exists 'slurm'@'localhost' identified via unix_socket;
      grant all on slurm_acct_db.* to 'slurm'@'localhost';"
  fi
  ln -sfn "$socket" /run/mysqld/mysqld.sock # where SLURM's plugin looks for `localhost`
  install -m 600 -o slurm -g slurm /dev/stdin "$folder/slurmdbd.conf" <<CONF
AuthType=auth/munge
DbdHost=localhost
SlurmUser=slurm
LogFile=$folder/log/slurmdbd.log
PidFile=$folder/state/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=slurm_acct_db
CONF
  if ! running slurmdbd; then
    launch slurmdbd setpriv --reuid=slurm --regid=slurm --clear-groups slurmdbd -D
    until_true 100 sacctmgr --immediate --noheader show cluster
    register cluster test
    register account default Description=test Organization=test
    register user root Account=default
  fi
}

# Adding what is there already is an error of sacctmgr's.
register() { # kind, name, options …
  local kind=$1 name=$2
  sacctmgr --noheader --parsable2 show "$kind" "$name" | grep -q . ||
    sacctmgr --immediate --quiet add "$@"
}

# OverMemoryKill ends a job above its memory without cgroups, which a container may not have.
slurm_conf() {
  cat <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/state/slurmctld.pid
SlurmdPidFile=$folder/state/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
MinJobAge=300
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
DefMemPerCPU=200
PriorityType=priority/basic
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
CONF
  if [ "$accounting" = 1 ]; then
    printf '%s\n' AccountingStorageType=accounting_storage/slurmdbd AccountingStorageHost=localhost \
      AccountingStorageTRES=gres/gpu AccountingStoreFlags=job_comment
  else
    echo AccountingStorageType=accounting_storage/none
  fi
  local node gres
  for node in $(seq 0 $((nodes - 1))); do
    gres="Gres=gpu:$gpus"
    [ "$site$node" = 10 ] && gres=
    echo "NodeName=n$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((17000 + node))" \
      "CPUs=$cpus RealMemory=$memory $gres State=UNKNOWN"
  done
  if [ "$site" = 1 ]; then
    local with_gpus=n1
    [ "$nodes" -gt 2 ] && with_gpus="n[1-$((nodes - 1))]"
    cat <<CONF
PartitionName=cpu Nodes=n0 Default=YES MaxTime=7-0
PartitionName=gpu Nodes=$with_gpus MaxTime=1-0
PartitionName=gpu-long Nodes=$with_gpus MaxTime=7-0
PartitionName=debug Nodes=ALL MaxTime=30
CONF
    return
  fi
  cat <<CONF
PartitionName=gpu Nodes=ALL Default=YES MaxTime=1-0 DefaultTime=10 PriorityTier=10 PreemptMode=off
PartitionName=gpu_low Nodes=ALL MaxTime=1-0 DefaultTime=10 PriorityTier=1 PreemptMode=requeue GraceTime=5
CONF
}

# A character device for each fake GPU, so that CUDA_VISIBLE_DEVICES is set as on a real node.
gres_conf() {
  local node gpu device
  for node in $(seq "$site" $((nodes - 1))); do
    for gpu in $(seq 0 $((gpus - 1))); do
      device=$folder/gpu-n$node-$gpu
      [ -e "$device" ] || mknod -m 666 "$device" c 1 3
    done
    echo "NodeName=n$node Name=gpu File=$folder/gpu-n$node-[0-$((gpus - 1))]"
  done
}

# Daemons and state of another layout do not fit this one.
configure() {
  mkdir -p /etc/slurm
  if [ -e "$link" ] && [ "$(readlink "$link")" != "$SLURM_CONF" ]; then
    echo "one_machine_slurm.sh: $link: this machine has a SLURM of its own" >&2
    return 1
  fi
  ln -sfn "$SLURM_CONF" "$link"
  slurm_conf >"$folder/slurm.conf.new"
  gres_conf >"$folder/gres.conf"
  if ! cmp -s "$folder/slurm.conf.new" "$folder/slurm.conf"; then
    finish_nodes
    finish slurmctld
    rm -rf "${folder:?}"/state/* "${folder:?}"/spool-*
  fi
  mv "$folder/slurm.conf.new" "$folder/slurm.conf"
}

all_nodes_up() {
  [ "$(sinfo --noheader --Node --states=idle,mix,alloc --format=%N | sort -u | wc -l)" -ge "$nodes" ]
}

start() {
  install_packages
  mkdir -p "$folder"/{state,log,database}
  exec 9>"$folder/lock" && flock 9 # two starts at a time would end each other's daemons
  chown slurm: "$folder/state" "$folder/log"
  start_munge
  configure
  [ "$accounting" = 1 ] && start_database
  running slurmctld ||
    launch slurmctld setpriv --reuid=slurm --regid=slurm --clear-groups slurmctld -D -i
  until_true 100 scontrol ping
  local node
  for node in $(seq 0 $((nodes - 1))); do
    mkdir -p "$folder/spool-n$node"
    running "slurmd-n$node" || launch "slurmd-n$node" slurmd -D -N "n$node"
  done
  until_true 150 all_nodes_up
}

stop() {
  if running slurmctld; then
    scancel --state=PENDING
    scancel --state=RUNNING
  fi
  finish_nodes
  local daemon
  for daemon in slurmctld slurmdbd mariadbd munged; do finish "$daemon"; done
  [ "$(readlink "$link")" != "$SLURM_CONF" ] || rm "$link"
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  status) sinfo --Node --long && squeue ;;
  *)
    echo "usage: one_machine_slurm.sh start|stop|status" >&2
    exit 2
    ;;
esac
