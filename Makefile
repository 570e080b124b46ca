# Every target says what it is for: make help.
GO ?= go
LINT = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.11.4
FUZZTIME ?= 10s
PAYMENTS ?= 20000
SEED ?= 1
KILLS ?= 200

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: test
test: ## run all tests (needs Go only; PostgreSQL tests run where its binaries are found)
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

.PHONY: test-race
test-race: ## run all tests with the race detector
	$(GO) test -race -timeout 30m ./...

.PHONY: lint
lint: ## check formatting and run the linters of .golangci.yml
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these files'; exit 1; }
	$(LINT) run ./...

.PHONY: tidy
tidy: ## check that go.mod and go.sum are tidy
	$(GO) mod tidy -diff

.PHONY: deps
deps: ## check what each package drags in
	./.ci/deps

.PHONY: fuzz
fuzz: ## fuzz every parser of foreign bytes for FUZZTIME each (default 10s)
	./.ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## measure, in one run, what the library adds to the raw calls and what a payment costs in commits
	$(GO) run ./internal/bench

.PHONY: bench-ledger
bench-ledger: ## measure the ledger against pgbench, a bare SQLite loop and its goals, in one run (about six minutes; needs PostgreSQL)
	$(GO) run ./internal/bench/ledger

.PHONY: simulate
simulate: ## run PAYMENTS simulated payments from SEED against misbehaving providers and a crashing store
	$(GO) test ./internal/simulation -count=1 -run 'TestSimulate$$' -v -payments $(PAYMENTS) -seed $(SEED)

.PHONY: crash
crash: ## kill KILLS processes that keep books, on SQLite and on PostgreSQL, stop PostgreSQL KILLS/10 times, and check the books each time
	$(GO) test ./internal/crash -count=1 -timeout 30m -v -kills $(KILLS) -seed $(SEED)

.PHONY: example
example: ## take a file of orders through the whole life of a payment, offline
	$(GO) run ./examples/quickstart
