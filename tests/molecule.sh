#!/usr/bin/env bash
# Every scenario on the lab `test`: made once, shared, taken down at the end. With names, only those scenarios.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH
# molecule writes an ansible.cfg of its own from .config/molecule/config.yml.
unset ANSIBLE_CONFIG

# Hosts on which no role has ever run, whatever an interrupted run has left behind.
lab/lab.py up --lab test --fresh

scenarios=(--all)
if [ $# -gt 0 ]; then
  # "a b" becomes "--scenario-name=a --scenario-name=b".
  scenarios=("${@/#/--scenario-name=}")
fi
exec molecule test "${scenarios[@]}"
