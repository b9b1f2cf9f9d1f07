# Every command of the repository. `make help` lists them; scripts/ holds what takes more than a
# line. Nothing here changes the host: tools are unpacked and built into the cache
# (BANGUI_BUILD_CACHE, by default ~/.cache/bangui-build).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# rustup puts cargo where a non-login shell does not look.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/go/bin

# $(call need,TOOL,ADVICE): one clear line for a missing tool.
need = @command -v $(1) >/dev/null || { echo "make: $(1) is missing: $(2)" >&2; exit 1; }

.PHONY: help run ui build images compose-test dockerfiles-test kubernetes-test deb-test test
.PHONY: test-all ci chaos deb bench checks fmt lint clean
.PHONY: need-cargo need-node need-go need-python

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

# run.sh asks for its tools itself. It is called without a shell between it and make, so that make
# passes its signals on to it.
run: ## build and run BanGUI with a private fail2ban, collector, Jaeger and Prometheus
	@scripts/run.sh

build: ui need-cargo ## build the page and the binary
	cargo build --locked

test: need-cargo need-node need-go ## the tests that show that the product works
	@scripts/test.sh ui cargo rules browser

test-all: need-cargo need-node need-go ## the same and the rest
	@scripts/test.sh ui cargo rules browser deploy components collector destinations

# test-all holds all of test, so nothing runs twice.
ci: checks test-all ## everything that must hold before a change lands

# No part of `ci`, which has a short form of it: it takes some twenty minutes.
chaos: need-cargo need-node need-go ## faults and restarts of destinations and instances under load
	@scripts/test.sh chaos

# On the engine that runs, or on a private one that is gone afterwards.
images: need-cargo need-node need-go ## build every image of docker-compose.yml, also without a registry
	@scripts/with-engine.sh --build scripts/images.sh

# No part of `ci`, which checks the files alone: it takes some fifteen minutes.
compose-test: need-cargo need-node need-go need-python ## docker-compose.yml on a real engine, and deb-test
	@scripts/compose-test.sh
	@$(MAKE) deb-test

# Its first run compiles every package; a later one takes some minutes.
dockerfiles-test: need-cargo need-node need-go need-python ## the Dockerfiles from a clone, and arm64 under qemu
	@scripts/dockerfiles-test.sh

kubernetes-test: need-cargo need-node need-go need-python ## deploy/kubernetes on a real cluster
	@scripts/kubernetes-test.sh

deb-test: build need-go ## the Debian package in a fresh Debian with its own systemd
	@scripts/deb-test.sh

deb: need-cargo need-go ## the Debian package of BanGUI and its collector, in target/debian
	@scripts/lint-deb.sh "$$(scripts/build-deb.sh)"

# No part of `ci`: figures depend on the machine. docs/PERFORMANCE.md says how to read them.
bench: ui need-cargo need-python ## measure the log path and the sanitizer against their peers
	@cargo bench --locked --bench log_path --bench sanitizer

checks: need-cargo need-go need-python ui
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	# No target of `all`, since it runs for itself.
	cargo clippy --locked --test destinations -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	scripts/lint-scripts.sh
	scripts/lint-compose.sh

fmt: need-cargo ## format the Rust sources
	cargo fmt

lint: checks ## format check, lints, docs, scripts

clean: ## remove what was built here (not the cache, not .run)
	rm -rf target ui/dist ui/node_modules tests/browser/node_modules

need-cargo:
	$(call need,cargo,install Rust 1.95 or newer)

need-node:
	$(call need,node,install Node.js 20.19 or newer)
	$(call need,npm,it comes with Node.js)

need-go:
	$(call need,go,install Go 1.24 or newer)

need-python:
	$(call need,python3,install Python 3.9 or newer)

# The page is built again only when something of it has changed: the binary embeds ui/dist, so a
# needless build would compile the crate anew as well.
ui: need-node ui/dist/index.html ## build the page

ui/node_modules/.package-lock.json: ui/package.json ui/package-lock.json
	@echo "page: installing packages"
	cd ui && npm ci --no-audit --no-fund
	@touch $@

ui_sources := $(shell find ui -path ui/node_modules -prune -o -path ui/dist -prune \
	-o -name '*.test.ts' -prune -o -type f -print 2>/dev/null)

ui/dist/index.html: ui/node_modules/.package-lock.json $(ui_sources)
	@echo "page: building"
	cd ui && npm run --silent build
	@touch $@
