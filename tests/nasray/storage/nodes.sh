#!/bin/bash
# A cluster of three nodes that share no disk but a store: in a process and mount namespace of its own, each node with an
# empty staging folder. The first one that has trained a cell for an epoch dies.
#   nodes.sh FOLDER PORT; FOLDER has search.yaml and an empty folder staging, and gets what was said and what nodes held
set -eu
folder=$1 port=$2 staging=$1/staging
mkdir -p /tmp/ray && mount -t tmpfs none /tmp/ray # where other processes would find this cluster and take it for theirs
cd "$folder"
export RAY_AUTH_MODE=disabled RAY_USAGE_STATS_ENABLED=0

start() { # NAME, and what `ray start` takes
    name=$1 && shift
    unshare -m bash -c 'mount -t tmpfs none "$0" && exec ray start --block --node-ip-address=127.0.0.1 "$@"' \
        "$staging" "$@" >"$name.log" 2>&1 &
    pids[$name]=$!
    until grep -q "Ray runtime started" "$name.log" 2>/dev/null; do kill -0 ${pids[$name]}; sleep 0.2; done
}

within() { # NAME COMMAND...
    nsenter -m -t "${pids[$1]}" "${@:2}"
}

declare -A pids
start head --head --port="$port" --num-cpus=0 --include-dashboard=false
start one --address="127.0.0.1:$port" --num-cpus=1
start two --address="127.0.0.1:$port" --num-cpus=1
trains() { # NAME
    within "$1" find "$staging" -path "*block_*" -name last.pt | grep -q .
}
{
    killed=
    until [ "$killed" ]; do
        for name in one two; do if trains "$name"; then killed=$name; fi; done
        sleep 0.1
    done
    within "$killed" find "$staging" -type f >killed.txt
    pkill -9 -P "${pids[$killed]}"
    kill -9 "${pids[$killed]}"
} &
within head nasray search "$folder/search.yaml" resources.address="127.0.0.1:$port"
within head find "$staging" -type f >head.txt
