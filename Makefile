# The product's commands. `make` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
BUILD := build
GO ?= go
# Linter and benchstat, pinned in a module file of their own: docs/decisions/001-tools.md.
TOOL := $(GO) tool -modfile=.ci/tools.mod
FUZZTIME ?= 10s
COUNT ?= 6
CUTS ?= 1000
TIME ?= 1h
TERMINALS ?= 1000
RATE ?= 500
BATCH ?= 1
RECORDS ?= 100000
SEED ?=
VISITS ?= 500000
EVALUATIONS ?= 5000000
BOOKS ?= sqlite
BOXES ?= 50
# What only computes costs most under the race detector and has nothing to show it: SQLite, which is C in Go, hashes and rasters. A package
# that keeps a sync.Map or another generic type with atomics cannot be left out: the linker shares such code with the packages that are watched.
NORACE := $(foreach package,modernc.org/sqlite/lib modernc.org/libc modernc.org/memory golang.org/x/crypto/argon2 golang.org/x/crypto/blake2b \
	golang.org/x/image/vector,-gcflags=$(package)=-race=false)
# How everything is compiled that is not for the race detector: in one way, so that programs, tools, vet and tests share what was compiled.
PLAIN := CGO_ENABLED=0 GOFLAGS=-trimpath
DEBARCH ?= amd64,arm64,armhf,loong64

.PHONY: help
help: ## List the commands.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: ## Run three boxes and a centre on this machine; prints one address to open in a browser.
	@echo '编译三个程序，首次需要一到三分钟 / building three programs, which takes one to three minutes the first time' >&2
	@CGO_ENABLED=0 $(GO) build -v -trimpath -o $(BUILD)/ ./cmd/... 2>&1 | awk '/downloading|error|cannot|\.go:/ {print; next} ++n % 10 == 0 {print "  " n " packages: " $$0} {fflush()}' >&2
	@exec $(BUILD)/ratingctl demo

.PHONY: test
test: ## Run all tests with the race detector (needs gcc); ends with what was skipped and why. With CI=1 a missing external program is a failure.
	@mkdir -p $(BUILD)
	@$(PLAIN) $(GO) build -o $(BUILD)/testsum ./internal/proof/cmd/testsum
	@# The programs that tests start are built once, and looked for in HCP_PROGRAMS.
	@$(PLAIN) $(GO) build -o $(BUILD)/ ./cmd/...
	@# Three packages start this broker, which each would compile beside the others. They say what is amiss if it cannot be had.
	@$(PLAIN) $(TOOL) -n nats-server >/dev/null || true
	@# Most tests wait for programs, so that more run at once than there are cores, and what takes longest begins first. The tests of files for
	@# builds without the race detector, which only compute or draw, run beside them, and are told at the end. What go vet finds, make check
	@# finds.
	@export HCP_PROGRAMS=$(CURDIR)/$(BUILD); files=$$(grep -rl --include='*_test.go' --exclude-dir={.ci,build} '^//go:build !race$$' .); \
	{ failed() { echo '{"Action":"go-failed"}'; }; \
	  { $(PLAIN) $(GO) test -vet=off -json -timeout 60m -coverprofile=$(BUILD)/cover-draw.out \
	    -run "^($$(sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p' $$files | paste -sd'|'))$$" $$(dirname $$files | sort -u) || failed; } >$(BUILD)/draw.json & \
	  CGO_ENABLED=1 $(GO) test -race $(NORACE) -vet=off -json -p 6 -parallel 6 -timeout 60m -coverprofile=$(BUILD)/cover-race.out \
	    ./cmd/ratingd ./cmd/centrald ./sync/uplink ./deploy ./device ./cmd/ratingctl ./internal/central/journal ./internal/central/books \
	    ./internal/central/web/fleet ./store ./internal/proof/receiver ./... || failed; \
	  wait; cat $(BUILD)/draw.json; \
	} | $(BUILD)/testsum $(BUILD)/cover-race.out $(BUILD)/cover-draw.out -- env CGO_ENABLED=1 $(GO) test -race $(NORACE) -count=2

.PHONY: norace
norace: # The flags for a run of single tests under the race detector: go test -race $(make -s norace) ./…
	@echo '$(NORACE)'

.PHONY: simulate
simulate: ## Play the histories that make test plays in a short form, in their long one, the year of a hall among them. Some half an hour (SEED draws the year again).
	SIMULATE=1 CGO_ENABLED=0 $(GO) test -count=1 -timeout 60m -run 'TestRandomHistories|TestKeypadHistories|TestBurstIsNeverAPress|TestTap|TestAKeyThatGoesUpAndDown|TestLaws|TestTheYearOfAHall|TestBooks|TestDiskFullAtAnyWrite|TestFlippedBytes|TestNetwork' -v ./store ./device ./cmd/ratingd \
	  ./internal/proof/hallyear ./internal/central/books
	SIMULATE=1 CGO_ENABLED=0 $(GO) test -count=1 -timeout 60m -run 'TestPackages/rollouts_over_mosquitto' -v ./deploy

.PHONY: province
province: ## Play a working day of a province in LASTS (default 20m): BOXES (default 50000) of which ONLINE (default 10000) speak MQTT, VISITS (default 30) each; then compare all with a recount.
	PROVINCE=1 $(if $(filter command line environment,$(origin BOXES)),BOXES=$(BOXES)) CGO_ENABLED=0 $(GO) test -count=1 -timeout 120m -run TestTheDayOfAProvince -v ./internal/proof/provinceday

.PHONY: hall
hall: ## Set up a simulated hall of BOXES (default 50, at most 60) new boxes through the real page by a browser, their keys learnt, and print how long it took.
	HALL=$(BOXES) CGO_ENABLED=0 $(GO) test -count=1 -timeout 60m -run TestAHallIsSetUp -v ./cmd/ratingd

.PHONY: descriptions
descriptions: ## Install what lints and validates our descriptions of API, topics and records (npm, into .ci/npm).
	cd .ci/npm && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=5 --cache $(CURDIR)/$(BUILD)/npm

.PHONY: check
check: ## Look for faults without running anything: format, go vet, linter, shellcheck.
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { printf 'not formatted, run gofmt -w on:\n%s\n' "$$unformatted"; exit 1; }
	$(PLAIN) $(GO) vet ./...
	$(PLAIN) $(TOOL) golangci-lint run
	@# What does not fit 32 bits shows there only.
	CGO_ENABLED=0 GOARCH=arm GOARM=7 $(GO) build -o /dev/null ./cmd/...
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run $$(git ls-files '*.sh' 'deploy/*/postinst' 'deploy/*/prerm' 'deploy/*/postrm'); \
	else echo 'shellcheck is not installed: install the Debian package shellcheck'; test -z "$${CI:-}"; fi

.PHONY: bench
bench: ## Run all benchmarks COUNT times (default 6) and print the medians. About five minutes.
	@mkdir -p $(BUILD)
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) -p 1 -timeout 60m ./... | tee $(BUILD)/bench.txt
	$(TOOL) benchstat $(BUILD)/bench.txt

.PHONY: powercut
powercut: ## Cut the power under the store CUTS times (default 1000), catch two broken builds, count disk bytes. Root; five minutes.
	@mkdir -p $(BUILD)
	@CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD)/powercut ./internal/proof/cmd/powercut
	@exec $(BUILD)/powercut -cuts $(CUTS) $(if $(SEED),-seed $(SEED)) -evidence $(BUILD)/powercut-evidence

.PHONY: soak
soak: ## Let faults of all kinds happen to four boxes, broker and centre for TIME (default 1h), then compare the books (BOOKS=sqlite or postgres). Root.
	@mkdir -p $(BUILD)
	@CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD)/soak ./internal/proof/soak
	@cd internal/proof/soak && exec $(CURDIR)/$(BUILD)/soak -time $(TIME) -books $(BOOKS)

.PHONY: bench-centre
bench-centre: ## Print how fast journal and books are, beside yardsticks of the same run (VISITS, default 500000), and searches and pages among EVALUATIONS (default 5000000). PostgreSQL; 40 minutes.
	@CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD)/ ./cmd/centrald ./internal/proof/centrebench ./internal/proof/pages
	@$(BUILD)/centrebench -visits $(VISITS)
	@HCP_EVALUATIONS=$(EVALUATIONS) $(GO) test -run '^$$' -bench Search -benchtime 1x -timeout 60m ./internal/central/books
	@for engine in sqlite postgres; do $(BUILD)/pages -centre $(BUILD)/centrald -evaluations $(EVALUATIONS) -engine $$engine; done

.PHONY: load
load: ## Let TERMINALS (default 1000) send RATE batches a second (default 500) of BATCH visits (default 1) for TIME to mosquitto and centrald.
	@CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD)/ ./cmd/centrald ./internal/proof/load
	@exec $(BUILD)/load -centre $(BUILD)/centrald -terminals $(TERMINALS) -rate $(RATE) -batch $(BATCH) -time $(if $(filter file,$(origin TIME)),30s,$(TIME))

.PHONY: drain
drain: ## Print how fast a box with RECORDS pending (default 100000) hands them over, beside a plain MQTT client of the same run.
	@CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD)/ ./cmd/centrald ./internal/proof/load
	@exec $(BUILD)/load -centre $(BUILD)/centrald -drain $(RECORDS)

.PHONY: board
board: ## Run the box on real kernels in QEMU: keys pressed, screen photographed, plug pulled from outside. Root; some minutes.
	@mkdir -p $(BUILD)
	@CGO_ENABLED=0 $(GO) build -trimpath -o $(BUILD)/testsum ./internal/proof/cmd/testsum
	@{ BOARD=1 CGO_ENABLED=0 $(GO) test -json -count=1 -timeout 30m ./internal/proof/board || echo '{"Action":"go-failed"}'; } | \
	  $(BUILD)/testsum -v -- env BOARD=1 CGO_ENABLED=0 $(GO) test -count=2

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (default 10s).
	@packages=$$($(GO) list ./...); \
	for package in $$packages; do \
	  tests=$$($(GO) test -list '^Fuzz' "$$package"); \
	  for target in $$(grep '^Fuzz' <<<"$$tests" || true); do \
	    echo "== $$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package"; \
	  done; \
	done

.PHONY: build
build: ## Build all programs for amd64, arm64, armv7 and loong64, without cgo, into build/linux-*/.
	@for arch in amd64 arm64 arm loong64; do \
	  echo "build/linux-$${arch/%arm/armv7}"; \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch GOARM=7 $(GO) build -trimpath -ldflags='-s -w' -o $(BUILD)/linux-$${arch/%arm/armv7}/ ./cmd/...; \
	done

.PHONY: deb
deb: ## Build the Debian packages for DEBARCH (default amd64,arm64,armhf,loong64) with SBOM and SHA256SUMS into dist/.
	@$(GO) run ./deploy/mkdeb -arch $(DEBARCH) -out dist

.PHONY: clean
clean: ## Remove what was built.
	rm -rf $(BUILD) dist
