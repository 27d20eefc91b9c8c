#!/usr/bin/env bash
# Every scenario on the lab `test`: made once, shared, taken down at the end. With names, only those scenarios.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH
# molecule writes an ansible.cfg of its own from .config/molecule/config.yml.
unset ANSIBLE_CONFIG

# Groups that share no host run side by side: while one compiles drivers, the other mostly waits for nodes.
servers=(check_gpu_host container_engine nvidia_container_toolkit nvidia_driver)
nodes=(gateway model_weights orchestrator)
# These need the orchestrators, and each one of the two hosts.
capabilities=(byoc)
runners=(live_runner)
# Everything else needs what those left behind; molecule takes them in the order of their names.
grouped=("${servers[@]}" "${nodes[@]}" "${capabilities[@]}" "${runners[@]}")
mapfile -t rest < <(cd molecule && printf '%s\n' */molecule.yml | sed 's,/.*,,' |
  grep --invert-match --line-regexp --fixed-strings "$(printf '%s\n' default "${grouped[@]}")")

scenarios() { # NAME...: in a directory of this call's own, so that calls do not meet. The lab stays as it is.
  MOLECULE_EPHEMERAL_DIRECTORY=$(mktemp --directory) molecule test --destroy=never "${@/#/--scenario-name=}"
}

# Hosts on which no role has ever run, whatever an interrupted run has left behind.
lab/lab.py up --lab test --fresh
trap 'lab/lab.py down --lab test' EXIT

if [ $# -gt 0 ]; then
  scenarios "$@"
  exit
fi

together() { # the group in the foreground, and in the variable `behind` the one behind it, whose output comes afterwards
  local log outcome=0
  log=$(mktemp)
  scenarios "${behind[@]}" >"$log" 2>&1 &
  scenarios "$@" || outcome=$?
  wait $! || outcome=$?
  printf '\n=== meanwhile: %s\n' "${behind[*]}"
  cat "$log"
  return "$outcome"
}

behind=("${servers[@]}")
together "${nodes[@]}"
behind=("${runners[@]}")
together "${capabilities[@]}"
scenarios "${rest[@]}"
