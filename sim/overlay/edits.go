package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// edit replaces one text of a file, which must stand in it exactly once.
type edit struct{ old, new string }

// source is one file of the runtime and what becomes of it.
type source struct {
	name  string
	edits []edit
}

// hooks is the file that the runtime gains: the streams, and what package bubble calls.
//
//go:embed seeded.go.txt
var hooks string

const hooksName = "zseeded.go"

// edited is the folder for the files, in that of overlay.json. The go command's "./..." leaves out what begins with '_'.
const edited = "_runtime"

// sources are all edits. The order of files and of edits within one does not matter.
var sources = []source{
	{"rand.go", []edit{
		// Hash keys, heap base and the streams of threads begin the same in each process.
		{"	seed := &globalRand.seed\n	if len(startupRand) >= 16 &&",
			"	seed := &globalRand.seed\n	startupRand = nil\n	if true {\n		for i := range seed {\n			seed[i] = byte(i + 1)\n		}\n	} else if len(startupRand) >= 16 &&"},
		{"func rand() uint64 {\n",
			"func rand() uint64 {\n	if b := getg().bubble; b != nil && b.seeded.on {\n		return b.seeded.next(seededRand)\n	}\n"},
		{"func maps_rand() uint64 {\n",
			"func maps_rand() uint64 {\n	if b := getg().bubble; b != nil && b.seeded.on {\n		return b.seeded.maps\n	}\n"},
		{"func randn(n uint32) uint32 {\n",
			"func randn(n uint32) uint32 {\n	if b := getg().bubble; b != nil && b.seeded.on {\n		return b.seeded.below(seededPool, n)\n	}\n"},
	}},
	{"select.go", []edit{{"j := cheaprandn(uint32(norder + 1))", "j := seededSelectn(uint32(norder + 1))"}}},
	{"time.go", []edit{{"t.rand = cheaprand()", "t.rand = seededTimerRand()"}}},
	{"synctest.go", []edit{
		{"	id      uint64 // unique id\n", "	id      uint64 // unique id\n	seeded  seeded\n"},
		// After seededSetNow the next timer may lie in the past: it is due now.
		{"			throw(\"time went backwards\")", "			next = bubble.now"},
	}},
	{"sema.go", []edit{
		// A sync.Mutex is handed over, and not fought for, when somebody has waited for a millisecond: of the bubble's time.
		{"func internal_sync_nanotime() int64 {\n",
			"func internal_sync_nanotime() int64 {\n	if b := getg().bubble; b != nil && b.seeded.on {\n		return b.now\n	}\n"},
	}},
	{"proc.go", []edit{
		// The collector's workers move schedtick, so that it must not decide which queue is looked at.
		{"if pp.schedtick%61 == 0 &&", "if !seededActive() && pp.schedtick%61 == 0 &&"},
		{"const randomizeScheduler = raceenabled", "const randomizeScheduler = false"},
		{"func retake(now int64) uint32 {\n", "func retake(now int64) uint32 {\n	if seededPatient(now) {\n		return 0\n	}\n"},
		{"	if randomizeScheduler && next && randn(2) == 0 {",
			"	if b := gp.bubble; next && b != nil && b.seeded.order && b.seeded.next(seededOrder)&1 == 0 {\n		next = false\n	}\n	if randomizeScheduler && next && randn(2) == 0 {"},
	}},
}

// apply makes a file's edits in its text.
func (s *source) apply(text string) (string, error) {
	for _, e := range s.edits {
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("runtime/%s: %d matches for %q where one is needed; this Go version needs another edit in sim/overlay/edits.go", s.name, n, e.old)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return text, nil
}

// write makes the overlay of a runtime's folder in the folder out, an absolute path.
func write(runtimeDir, out string) error {
	if err := os.MkdirAll(filepath.Join(out, edited), 0o755); err != nil {
		return err
	}
	replace := map[string]string{}
	put := func(name, text string) error {
		path := filepath.Join(out, edited, name)
		replace[filepath.Join(runtimeDir, name)] = path
		return keep(path, text)
	}
	for _, s := range sources {
		b, err := os.ReadFile(filepath.Join(runtimeDir, s.name))
		if err != nil {
			return err
		}
		text, err := s.apply(string(b))
		if err != nil {
			return err
		}
		if err := put(s.name, text); err != nil {
			return err
		}
	}
	if err := put(hooksName, hooks); err != nil {
		return err
	}
	b, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", " ")
	if err != nil {
		return err
	}
	return keep(filepath.Join(out, "overlay.json"), string(b)+"\n")
}

// keep writes a file unless it has that text already.
func keep(path, text string) error {
	if b, err := os.ReadFile(path); err == nil && string(b) == text {
		return nil
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
