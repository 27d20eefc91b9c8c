#!/usr/bin/env bash
# Every scenario on the lab `test`: made once, shared, taken down at the end. With names, only those scenarios.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH
# molecule writes an ansible.cfg of its own from .config/molecule/config.yml.
unset ANSIBLE_CONFIG

if [ $# -eq 0 ]; then
  exec molecule test --all
fi
for scenario in "$@"; do
  molecule test --scenario-name "$scenario"
done
