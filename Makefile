# The product's commands. `make` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
BUILD := build
GO ?= go
TOOL := $(GO) tool -modfile=.ci/tools.mod
FUZZTIME ?= 10s
COUNT ?= 6

.PHONY: help
help: ## List the commands.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: ## Run a box and a centre on this machine; prints one address to open in a browser.
	@CGO_ENABLED=0 $(GO) build -o $(BUILD)/ ./cmd/...
	@exec $(BUILD)/ratingctl demo

.PHONY: test
test: ## Run all tests, with the race detector (needs gcc).
	$(GO) test -race -timeout 15m ./...

.PHONY: check
check: ## Look for faults without running: format, vet, lint.
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(TOOL) golangci-lint run
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run display/fonts/subset.sh; else echo "shellcheck is not installed (Debian package shellcheck)"; test -z "$${CI:-}"; fi

.PHONY: bench
bench: ## Measure; prints medians of COUNT runs. About ten minutes.
	@mkdir -p $(BUILD)
	$(GO) test -run '^$$' -bench . -benchtime 1s -count $(COUNT) -timeout 60m ./store ./display ./cmd/ratingd | tee $(BUILD)/bench.txt
	$(TOOL) benchstat $(BUILD)/bench.txt

.PHONY: fuzz
fuzz: ## Fuzz every decoder for FUZZTIME each.
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

.PHONY: build
build: ## Build all programs for amd64, arm64 and armv7 into build/.
	@for arch in amd64 arm64 arm; do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch GOARM=7 $(GO) build -trimpath -ldflags '-s -w' -o $(BUILD)/linux-$$arch/ ./cmd/...; \
	done
	@ls -l $(BUILD)/linux-*

.PHONY: clean
clean: ## Remove what was built.
	rm -rf $(BUILD)
