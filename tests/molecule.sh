#!/usr/bin/env bash
# Every scenario on the lab `test`: made once, shared, taken down at the end. With names, only those scenarios.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH
# molecule writes an ansible.cfg of its own from .config/molecule/config.yml.
unset ANSIBLE_CONFIG

# Two groups that share no host run side by side: while one compiles drivers, the other mostly waits for nodes.
servers=(check_gpu_host container_engine nvidia_container_toolkit nvidia_driver)
nodes=(gateway model_weights orchestrator)
# These need the orchestrators that the others left behind.
services=(byoc live_runner)
# On servers as well, but they count on a Hub that no test of model_weights makes stumble.
gpu_nodes=(custom_pipeline site_gpu)
# Everything else needs all of those; molecule takes them in the order of their names.
grouped=("${servers[@]}" "${nodes[@]}" "${services[@]}" "${gpu_nodes[@]}")
mapfile -t rest < <(cd molecule && printf '%s\n' */molecule.yml | sed 's,/.*,,' |
  grep --invert-match --line-regexp --fixed-strings "$(printf '%s\n' default "${grouped[@]}")")

scenarios() { # NAME...: in a directory of this call's own, so that calls do not meet. The lab stays as it is.
  MOLECULE_EPHEMERAL_DIRECTORY=$(mktemp --directory) molecule test --destroy=never "${@/#/--scenario-name=}"
}

await() { # FILE: until it is there
  until [ -e "$1" ]; do sleep 1; done
}

# Hosts on which no role has ever run, whatever an interrupted run has left behind.
lab/lab.py up --lab test --fresh
trap 'lab/lab.py down --lab test' EXIT

if [ $# -gt 0 ]; then
  scenarios "$@"
  exit
fi

scratch=$(mktemp --directory)
outcome=0
{ scenarios "${servers[@]}" && await "$scratch/nodes-done" && scenarios "${gpu_nodes[@]}"; } >"$scratch/log" 2>&1 &
{ scenarios "${nodes[@]}" && touch "$scratch/nodes-done" && scenarios "${services[@]}"; } || outcome=$?
# A failure above must not leave the other group waiting; what it had to do, it does.
touch "$scratch/nodes-done"
wait $! || outcome=$?
printf '\n=== meanwhile: %s\n' "${servers[*]} ${gpu_nodes[*]}"
cat "$scratch/log"
[ "$outcome" -eq 0 ] || exit "$outcome"
scenarios "${rest[@]}"
