package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree is a module in which each rule is broken and each exception is used. A line that must be found ends in `// want RULE`
// (or `// want RULE RULE`); no other line may be. A comment never turns a rule off, so these comments change nothing.
var tree = map[string]string{
	"go.mod": `module github.com/seedlog/seedlog

go 1.26

require (
	github.com/klauspost/compress v0.0.0
	github.com/twmb/franz-go/pkg/kmsg v0.0.0
)

replace github.com/klauspost/compress => ./third/compress

replace github.com/twmb/franz-go/pkg/kmsg => ./third/kmsg
`,
	"third/compress/go.mod":       "module github.com/klauspost/compress\n\ngo 1.26\n",
	"third/compress/zstd/zstd.go": "package zstd\n\nfunc F() {}\n",
	"third/kmsg/go.mod":           "module github.com/twmb/franz-go/pkg/kmsg\n\ngo 1.26\n",
	"third/kmsg/kmsg.go":          "package kmsg\n\ntype Quota struct{ Value float64 }\n",

	"core/step/step.go": "package step\n\nfunc F() int { return 1 }\n",
	"core/machine/goroutine.go": `package machine

func a() {
	go b() // want goroutine
}

func b() {
	//nolint
	go a() // want goroutine
}
`,
	"core/machine/channel.go": `package machine

type pipe chan int // want channel

type holder struct{ c chan int } // want channel

func c(in <-chan int, h holder) { // want channel
	h.c <- 1 // want channel
	<-in     // want channel
	select { // want channel
	case <-in: // want channel
	default:
	}
	for range in { // want channel
	}
	close(h.c)          // want channel
	x := make(pipe, 1)  // want channel
	_ = x               // want channel
	var hidden = opaque // want channel
	_ = hidden == nil   // want channel
}

var opaque pipe // want channel
`,
	"core/machine/imports.go": `package machine

import (
	_ "context"       // want context
	_ "crypto/rand"   // want rand
	_ "embed"         // want os
	_ "hash/maphash"  // want rand
	_ "io/fs"         // want os
	_ "log"           // want print
	_ "log/slog"      // want print
	_ "math/rand"     // want rand
	_ "math/rand/v2"  // want rand
	_ "net"           // want network
	_ "net/http"      // want network
	_ "os"            // want os
	_ "os/exec"       // want os
	_ "path/filepath" // want os
	_ "runtime"       // want runtime
	_ "runtime/debug" // want runtime
	_ "sync"          // want lock
	_ "sync/atomic"   // want lock
	_ "syscall"       // want os
	_ "time"          // want clock
	_ "unsafe"        // want unsafe

	renamed "time" // want clock

	_ "github.com/klauspost/compress/zstd"   // want thirdparty
	_ "github.com/twmb/franz-go/pkg/kmsg"    // want thirdparty
	_ "github.com/seedlog/seedlog/core/api"  // want layout
	_ "github.com/seedlog/seedlog/core/step"
	_ "github.com/seedlog/seedlog/io/disk"
	_ "github.com/seedlog/seedlog/realnet" // want layout layout
	_ "github.com/seedlog/seedlog/sim"     // want layout layout
)

var _ = renamed.Now
`,
	"core/machine/names.go": `package machine

import (
	"fmt"
	"iter"
	"reflect"
	show "fmt"
)

func d(s iter.Seq[int]) {
	fmt.Println("x")  // want print
	show.Printf("x")  // want print
	p := fmt.Print    // want print
	p()
	_ = fmt.Sprint("a message")
	println("x")      // want print
	iter.Pull(s)      // want coroutine
	q := iter.Pull[int] // want coroutine
	_ = q
	reflect.ValueOf(map[int]int{}).MapRange() // want maprange
}
`,
	"core/machine/linkname.go": `package machine

//go:linkname fastrand runtime.fastrand // want linkname
func fastrand() uint32
`,
	"core/machine/stub.s": "\n", // its mere presence is a finding
	"core/machine/float.go": `package machine

import "math"

type ratio float32 // want float

type stats struct {
	mean float64 // want float
	n    int
}

func e(s stats) int {
	x := 1.5 // want float
	_ = x    // want float
	n := int(1e3) // want float
	y := ratio(s.n) // want float
	_ = y == 0 // want float
	_ = s.mean > 0 // want float
	_ = math.MaxInt64
	_ = complex(0, 1) // want float
	return n / 2
}
`,
	"core/machine/maps.go": `package machine

import (
	"maps"
	"slices"
	"sort"
)

type index map[string]int

type box struct{ keys []string }

func good(m map[string]int, i index, b *box) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for k := range i {
		if i[k] > len(m) {
			b.keys = append(b.keys, k)
		}
	}
	slices.Sort(b.keys)
	n := 0
	for range m {
		n++
	}
	for range slices.Sorted(maps.Keys(m)) {
		n++
	}
	return slices.SortedFunc(maps.Keys(i), func(a, b string) int { return 0 })
}

func evil(m map[string]int, i index, b *box) {
	var keys, others, never []string
	for k := range m { // want maprange
		never = append(never, k)
	}
	sort.Strings(others)
	for k, v := range m { // want maprange
		_, _ = k, v
	}
	for _, v := range i { // want maprange
		_ = v
	}
	for k := range m { // want maprange
		if effect(k) {
			others = append(others, k)
		}
	}
	sort.Strings(others)
	for k := range m { // want maprange
		delete(i, k)
	}
	for k := range m { // want maprange
		keys = append(keys, k)
		b.keys = append(others, k)
	}
	slices.Sort(keys)
	slices.Sort(b.keys)
	for k := range maps.Keys(m) { // want maprange
		_ = k
	}
	_ = slices.Collect(maps.Values(m)) // want maprange
	_ = maps.Collect(maps.All(m))      // want maprange
	_ = slices.Sorted(maps.Values(m))
	f := maps.Keys[index] // want maprange
	_ = f
	maps.DeleteFunc(m, func(string, int) bool { return true }) // want maprange
	sum := func() {
		for k := range m { // want maprange
			keys = append(keys, k)
		}
	}
	sum()
	slices.Sort(keys)
}

func generic[M interface{ ~map[string]int }](m M) {
	for k := range m { // want maprange
		_ = k
	}
}

func effect(string) bool { return true }
`,
	"core/machine/tagged.go": `//go:build mutants

package machine

func mutant() {
	go b() // want goroutine
}
`,
	"core/machine/invariant.go": `//go:build invariants

package machine

func invariant() {
	go b() // want goroutine
}
`,
	"core/machine/away.go": `//go:build never

package machine

func away() { go b() }
`,
	"core/machine/made_gen.go": "package machine\n\nfunc generated() {\n\tgo b() // want goroutine\n" + strings.Repeat("\tb()\n", 900) + "}\n",
	"core/machine/machine_test.go": `package machine

import (
	"testing"
	"time"

	_ "github.com/seedlog/seedlog/sim"
)

func TestX(t *testing.T) { go time.Sleep(1) }
`,
	"core/task/task.go":                 "package task\n\nimport \"iter\"\n\nfunc F(s iter.Seq[int]) {\n\titer.Pull(s)\n\tgo F(s) // want goroutine\n}\n",
	"core/records/compress/compress.go": "package compress\n\nimport (\n\t_ \"github.com/klauspost/compress/zstd\"\n\t_ \"github.com/twmb/franz-go/pkg/kmsg\" // want thirdparty\n)\n",
	"core/sometimes/off.go":             "//go:build !marks\n\npackage sometimes\n\nfunc Hit(name string) {}\n\nfunc If(ok bool, name string) {}\n",
	"core/sometimes/on.go":              "//go:build marks\n\npackage sometimes\n\nfunc Hit(name string) { go If(true, name) } // want goroutine\n\nfunc If(ok bool, name string) {}\n",
	"core/sometimes/names.go": `package sometimes

var Names = [...]string{
	"a",
	"b",
	"b", // want mark
	"d",
	"c", // want mark
	"nowhere", // want mark
}
`,
	"core/machine/marks.go": `package machine

import m "github.com/seedlog/seedlog/core/sometimes"

func marked(name string, ok bool) {
	m.Hit("a")
	m.If(ok, "b")
	m.Hit("c")
	m.Hit("d")
	m.Hit("a") // want mark
	m.Hit(name) // want mark
	m.If(ok, "a"+"b") // want mark
	m.Hit("missing") // want mark
}
`,
	"core/wire/wire.go":         "package wire\n\nimport \"github.com/twmb/franz-go/pkg/kmsg\"\n\nfunc F(q kmsg.Quota) float64 { return q.Value }\n",
	"core/step/up.go":           "package step\n\nimport _ \"github.com/seedlog/seedlog/core/machine2\" // want layout\n",
	"core/machine2/machine2.go": "package machine2\n\nimport _ \"github.com/seedlog/seedlog/core/wire\"\n",
	"core/api/api.go":           "package api\n\nimport (\n\t_ \"github.com/seedlog/seedlog/core/machine2\"\n\t_ \"github.com/seedlog/seedlog/core/quorum\" // want layout\n)\n",
	"core/quorum/quorum.go":     "package quorum\n\nimport \"sync\"\n\nvar mu sync.Mutex\n\nfunc F() { go mu.Lock() }\n",
	"core/broker/broker.go":     "package broker\n\nimport _ \"github.com/seedlog/seedlog/core/api\"\n",
	"io/disk/disk.go":           "package disk\n\nimport _ \"os\" // want os\n",
	"realnet/realnet.go":        "package realnet\n\nimport (\n\t_ \"github.com/seedlog/seedlog/core/step\"\n\t_ \"github.com/seedlog/seedlog/core/wire\" // want layout\n\t_ \"time\"\n)\n",
	"models/models.go":          "package models\n\nimport (\n\t_ \"github.com/seedlog/seedlog/core/step\" // want layout\n\t_ \"github.com/seedlog/seedlog/sim/history\"\n)\n",
	"sim/history/history.go":    "package history\n",
	"sim/sim.go":                "package sim\n\nimport (\n\t_ \"github.com/seedlog/seedlog/core/machine2\"\n\t_ \"github.com/seedlog/seedlog/models\"\n)\n",
	"sim/bad/bad.go":            "package bad\n\nimport _ \"github.com/seedlog/seedlog/realnet\" // want layout\n",
	"admin/admin.go":            "package admin\n\nimport (\n\t_ \"github.com/seedlog/seedlog/core/machine2\"\n\t_ \"github.com/seedlog/seedlog/realnet\" // want layout\n)\n",
	"cmd/broker/main.go":        "package main\n\nimport (\n\t_ \"github.com/seedlog/seedlog/core/broker\"\n\t_ \"github.com/seedlog/seedlog/realnet\"\n)\n\nfunc main() {}\n",
	"admin/long.go":             "package admin\n\nfunc long() { // want funcsize\n" + strings.Repeat("\tshort()\n", 69) + "}\n\nfunc short() {\n" + strings.Repeat("\t_ = 1\n", 68) + "}\n",
	"admin/huge.go":             "package admin // want filesize\n" + strings.Repeat("\n", 800),
	"admin/full.go":             "package admin\n" + strings.Repeat("\n", 799),
	"admin/long_test.go":        "package admin\n\nimport \"testing\"\n\nfunc TestLong(t *testing.T) {\n" + strings.Repeat("\tt.Log(1)\n", 100) + "}\n",
	"admin/huge_test.go":        "package admin // want filesize\n" + strings.Repeat("\n", 900),
}

// wanted are the lines of the tree that must be found, as "path:line: rule".
func wanted() []string {
	all := []string{"core/machine/stub.s:1: foreign", "core/machine/away.go:1: unread"}
	for path, text := range tree {
		for i, line := range strings.Split(text, "\n") {
			if _, rules, ok := strings.Cut(line, "// want "); ok {
				for _, rule := range slices.Compact(strings.Fields(rules)) {
					all = append(all, fmt.Sprintf("%s:%d: %s", path, i+1, rule))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

func write(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for path, text := range files {
		name := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEachRuleCatchesItsMistakeAndNothingElse(t *testing.T) {
	found, err := lint(write(t, tree))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	whys := map[string]string{}
	for _, f := range found {
		place := fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Rule)
		got = append(got, place)
		whys[place] = f.Why
		if f.Why == "" || f.Col < 1 {
			t.Errorf("%s:%d: a finding needs a reason and a column", f.Path, f.Line)
		}
	}
	want := wanted()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("not found: %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("found, though it is right: %s (%s)", g, whys[g])
		}
	}
}

func TestACleanTreeHasNoFindings(t *testing.T) {
	found, err := lint(write(t, map[string]string{
		"go.mod":            "module example.com/other\n\ngo 1.26\n",
		"core/step/step.go": "package step\n\nimport \"fmt\"\n\nfunc F() string { return fmt.Sprint(1) }\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report(&out, found); err != nil || out.String() != "lint: 0 findings\n" {
		t.Fatalf("want no findings, got %q, %v", out.String(), err)
	}
}

func TestWhatDoesNotBuildIsAFinding(t *testing.T) {
	found, err := lint(write(t, map[string]string{
		"go.mod":            "module example.com/other\n\ngo 1.26\n",
		"core/a/a.go":       "package a\n\nfunc F() int { return undefined }\n",
		"core/b/b.go":       "package b\n\nimport \"example.com/other/core/a\"\n\nfunc G() { go a.F() }\n",
		"core/step/step.go": "package step\n\nfunc F( {\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, f := range found {
		rules = append(rules, f.Path+" "+f.Rule)
	}
	for _, want := range []string{"core/a/a.go build", "core/b/b.go goroutine", "core/step/step.go build"} {
		if !slices.Contains(rules, want) {
			t.Errorf("want %q among %q", want, rules)
		}
	}
}

func TestAFolderWithoutAModuleIsAnError(t *testing.T) {
	if _, err := lint(t.TempDir()); err == nil {
		t.Fatal("want an error")
	}
}

func TestTheOutputIsOneLineAFinding(t *testing.T) {
	var out bytes.Buffer
	if err := report(&out, []finding{{Path: "core/a.go", Line: 3, Col: 2, Rule: "goroutine", Why: "no"}}); err != nil {
		t.Fatal(err)
	}
	if want := "core/a.go:3:2: goroutine: no\nlint: 1 findings\n"; out.String() != want {
		t.Fatalf("want %q, got %q", want, out.String())
	}
}

func TestEachExceptionHasAReason(t *testing.T) {
	for _, e := range exceptions {
		if e.rule == "" || e.folder == "" || len(e.reason) < 20 {
			t.Errorf("%+v needs a rule, a folder and a reason", e)
		}
	}
}
