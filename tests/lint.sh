#!/usr/bin/env bash
# Static checks. Each tool runs with the repository's own configuration and without skip lists.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
export ANSIBLE_CONFIG=$PWD/ansible.cfg
collection=collections/ansible_collections/livepeer/ai

# Not with &&: bash does not end for a command that fails before it.
echo "ruff";          ruff check --quiet .; ruff format --quiet --check .
echo "yamllint";      yamllint --strict .
echo "ansible-lint";  ansible-lint --offline
echo "changelog";     (cd "$collection" && antsibull-changelog lint)
echo "documentation"; antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs self "$collection"
