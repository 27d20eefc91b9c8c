# The front door. `make demo` and `make test` do all of their own set-up on a fresh Debian or Ubuntu machine.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help env demo lab-test test lint sanity unit molecule docs dist requirements changelog clean

BIN := $(CURDIR)/.venv/bin
COLLECTION := collections/ansible_collections/livepeer/ai
export PATH := $(BIN):$(PATH)
# ansible-doc, molecule and ad-hoc calls see the same configuration wherever they start.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

env: ## Debian packages, Docker daemon, Python environment; quick when all is there
	@lab/bootstrap.sh

demo: env ## bring up the lab, run playbooks/site.yml, end with a table of checks and a picture in build/demo
	@lab/demo.sh

test: env ## everything CI runs: lint, sanity, unit and stand-in tests, the artefact, molecule
	@tests/run.sh

lint: env ## ruff, yamllint, ansible-lint (production), docs and changelog
	@tests/lint.sh

sanity: env ## ansible-test sanity over the collection
	@tests/sanity.sh

unit: env ## unit tests of the collection and tests of the stand-ins
	@pytest -n 2 -m "not docker" tests $(COLLECTION)/tests/unit lab

molecule: env ## role scenarios and the site scenario with its faults, on the lab `test`
	@tests/molecule.sh

docs: env ## the collection's reference as text, from the documentation of every plugin and role, in build/docs
	@tests/docs.sh

dist: env ## build the Galaxy artefact and prove it by installing it into an empty path
	@tests/dist.sh

requirements: ## export requirements.txt from pyproject.toml (pinned, hashed, no index addresses)
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements.txt

changelog: ## render CHANGELOG.md from the fragments, for a release
	@cd $(COLLECTION) && antsibull-changelog release

clean: ## take the labs down; keep caches (`rm -rf build .venv` removes those)
	@if [ -x $(BIN)/python ]; then lab/lab.py down --lab demo; lab/lab.py down --lab test; fi
	@rm -rf dist build/demo build/docs
