#!/usr/bin/env bash
# Every scenario on the lab `test`: made once, shared, taken down at the end. With names, only those scenarios.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH
# molecule writes an ansible.cfg of its own from .config/molecule/config.yml.
unset ANSIBLE_CONFIG

# Roles on their own. The two groups share no host: while one compiles drivers, the other mostly waits for nodes.
servers=(check_gpu_host container_engine nvidia_container_toolkit nvidia_driver)
nodes=(gateway model_weights orchestrator)
# Everything else needs what those left behind; molecule takes them in the order of their names.
mapfile -t rest < <(cd molecule && printf '%s\n' */molecule.yml | sed 's,/.*,,' |
  grep --invert-match --line-regexp --fixed-strings "$(printf '%s\n' default "${servers[@]}" "${nodes[@]}")")

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

log=build/lab/test/servers.log
scenarios "${servers[@]}" >"$log" 2>&1 &
others=$!
outcome=0
scenarios "${nodes[@]}" || outcome=$?
printf '\n=== meanwhile: %s\n' "${servers[*]}"
wait "$others" || outcome=$?
cat "$log"
[ "$outcome" -eq 0 ] || exit "$outcome"
scenarios "${rest[@]}"
