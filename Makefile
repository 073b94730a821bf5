# Seedlog. `make` lists the targets. Programs are built into build/ and executed from there, so that exit codes and signals are theirs.
# Variables given on the command line (SEED=7, SECS=60, ONLY=P9 …) reach the programs through the environment.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build test overlay lint sim plans figures trace debug check twice mutants shrinks canary bench race fuzz jepsen gen fmt clean FORCE

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: build/broker build/sim build/lint ## all programs into build/

# The go command knows what is up to date.
build/broker build/lint: build/%: FORCE
	@go build -o $@ ./cmd/$*

# The simulator is built with an overlay of the Go runtime, so that goroutines repeat: sim/overlay. The first build compiles the standard
# library once more.
OVERLAY := -overlay build/overlay/overlay.json

build/overlay/overlay.json: FORCE
	@go run ./sim/overlay -out build/overlay

build/sim: build/overlay/overlay.json FORCE
	@go build $(OVERLAY) -tags overlay,marks -o $@ ./cmd/sim

build/sim-mutants: build/overlay/overlay.json FORCE
	@go build $(OVERLAY) -tags overlay,mutants,marks -o $@ ./cmd/sim

build/sim-plain: FORCE
	@go build -o $@ ./cmd/sim

build/bench: FORCE
	@go build -o $@ ./bench

build/jepsen-run: FORCE
	@go build -o $@ ./cmd/jepsen

test: ## all tests; needs Go and make only
	go vet ./...
	go test -tags invariants,marks ./core/...
	go test ./...

overlay: build/overlay/overlay.json ## the tests of what repeats only with the overlay
	go test -count=1 $(OVERLAY) -tags overlay ./sim/bubble/... ./sim/quorumsim/...
	go test -count=1 $(OVERLAY) -tags overlay -run Session ./cmd/sim

lint: build/lint ## the core is pure, imports point down, files and functions are small
	@exec build/lint .

sim: $(if $(MUTANT),build/sim-mutants,build/sim) ## SEED=n one seed; else new seeds for SECS=n; NODES=1|3|5 PLAN=f FLUSH=ack|os MUTANT=P9 JOBS=n OUT=dir; REPORT=f.html of one seed, AGAINST=g.jsonl, BOARD=MUTANTS.md
	@exec $< run

plans: build/sim ## every plan that is kept: all pass
	@exec build/sim plans -jobs $$(nproc)

figures: build/sim ## RELEASE=0.1 FROM=f, what make sim SECS=n printed: kept in SEEDS.jsonl and added up in SEEDS.md
	@exec build/sim figures $(FROM)

trace: build/sim ## SEED=n, one line an event
	@exec build/sim trace $(SEED)

debug: $(if $(MUTANT),build/sim-mutants,build/sim) ## SEED=n or PLAN=f, a session that steps the run forward and back and shows what stands there; NODES= FLUSH= MUTANT= as of sim
	@exec $< debug

check: build/sim ## HISTORY=f.jsonl, what the models say of a history
	@exec build/sim check $(HISTORY)

twice: build/sim ## new seeds for SECS=n, each in two fresh processes: equal, or red; SYSTEM=quorum or broker alone
	@build/sim twice
	$(if $(SYSTEM),,@SYSTEM=quorum build/sim twice)

mutants: build/sim-mutants ## each planted bug must be found, by the plan that is kept for it or by another; ONLY=P9,S3
	@exec build/sim-mutants mutants

shrinks: build/sim-mutants ## how small the shrinker makes what kills each mutant, and what that costs; ONLY=P9,S3 TRIES=n seeds to look for a plan, SHRINK=60 s of the processor for each
	@exec build/sim-mutants shrinks

canary: build/sim-mutants build/sim-plain ## the checks can fail: a planted bug fails its plan, which passes without it; without the overlay no hash repeats
	@out=$$(build/sim-mutants mutants -only P9); echo "$$out"; \
	[[ $$out == *'"killed":true'*'"clean_passes":true'* ]] || { echo 'error: the simulator did not find m:P9, a dropped acknowledgement' >&2; exit 1; }
	@if out=$$(build/sim-plain twice -system quorum 1 2>/dev/null); then echo "$$out"; echo 'error: the hashes are equal without the overlay too' >&2; exit 1; \
	else echo "$$out"; [[ $$out == *'"equal":false'* ]] || { echo 'error: the build without the overlay did not run' >&2; exit 1; }; fi

bench: build/bench ## what a request costs; ONLY=… PEER=dir puts Apache Kafka beside it
	@exec build/bench

jepsen: build/broker build/jepsen-run ## real brokers under a nemesis for SECS=n; NODES=3 SEED=n WORKLOAD=log|txn|offsets|group|copy|metadata NEMESIS=kill,pause,… FLUSH=ack|os OUT=dir; SYSTEM=kafka PEER=dir
	@exec build/jepsen-run

race: ## the tests of what has threads, under the race detector; needs a C compiler
	go test -race ./realnet/... ./realdisk/... ./seedlogtest/... ./cmd/...

# go test -fuzz runs one target, and would spend a short run on making one input smaller: -fuzzminimizetime. Two targets share two processors better
# than one does, since a worker waits for its coordinator.
fuzz: ## every fuzz target for SECS=n each, 10 unless told, as many at a time as there are processors; ONLY=text of a name
	@rm -rf build/fuzz && mkdir -p build/fuzz
	@go list -f '{{.Dir}}' ./... | while read -r dir; do \
	  { grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$$dir"/*_test.go 2>/dev/null || true; } | while read -r _ name; do echo "$$dir $$name"; done; done \
	  | { grep -E -- '$(ONLY)' || true; } >build/fuzz/targets
	@echo "$$(wc -l <build/fuzz/targets) targets for $(or $(SECS),10) s each, $$(nproc) at a time"
	@[[ -s build/fuzz/targets ]] || { echo 'error: no target has $(ONLY) in its name' >&2; exit 1; }
	@xargs -P "$$(nproc)" -L 1 bash -c 'out=build/fuzz/$$(basename "$$0")-$$1; \
	  if (cd "$$0" && exec go test -run "^$$" -fuzz "^$$1$$" -fuzztime $(or $(SECS),10)s -fuzzminimizetime 10x -parallel 1 .) >"$$out" 2>&1; \
	  then echo "ok    $${0#"$$PWD"/} $$1 $$(grep -oE "execs: [0-9]+" "$$out" | tail -n 1)"; \
	  else echo "FAIL  $${0#"$$PWD"/} $$1"; exit 1; fi' <build/fuzz/targets | tee build/fuzz/results || true
	@if grep '^FAIL' build/fuzz/results | while read -r _ dir name; do cat "build/fuzz/$$(basename "$$dir")-$$name"; \
	  echo "error: $$name in $$dir failed. What it failed with is kept under $$dir/testdata/fuzz/$$name, and go test runs it from now on: mend the code, and commit both" >&2; done | grep .; \
	then exit 1; fi

gen: ## generated files
	go generate ./...

fmt: ## gofmt
	gofmt -l -w $$(go list -f '{{.Dir}}' ./...)

clean: ## what make built
	rm -rf build
