#!/usr/bin/env bash
# From bare hosts to a verified inference: the lab, then the same playbook that production runs. `make demo` calls this.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
export ANSIBLE_CONFIG=$PWD/ansible.cfg

lab/lab.py up --lab demo
ansible-playbook --inventory inventories/lab playbooks/site.yml
printf '\nThe checks: build/demo/report.json\n'
find build/demo -name '*.png' -printf 'The picture: %p\n'
