package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	dir := "."
	if len(os.Args) > 2 {
		fmt.Fprintln(os.Stderr, "error: one folder at most; usage: lint [DIR]")
		os.Exit(2)
	}
	if len(os.Args) == 2 {
		dir = os.Args[1]
	}
	findings, err := lint(dir)
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(2)
	}
	if err := report(os.Stdout, findings); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(2)
	}
	if len(findings) > 0 {
		os.Exit(1)
	}
}

// finding is one broken rule at one place.
type finding struct {
	Path      string // relative to the module's folder, with slashes
	Line, Col int
	Rule      string
	Subject   string // what exceptions match on: an import path, or the file's function or type
	Why       string
}

func report(w io.Writer, findings []finding) error {
	out := bufio.NewWriter(w)
	for _, f := range findings {
		fmt.Fprintf(out, "%s:%d:%d: %s: %s\n", f.Path, f.Line, f.Col, f.Rule, f.Why)
	}
	fmt.Fprintf(out, "lint: %d findings\n", len(findings))
	return out.Flush()
}

// tagSets are the builds that are looked at: together they hold every file of the tree that this system can build.
var tagSets = []string{"", "mutants,invariants", "overlay,marks"}

// lint gives what is wrong in the module at dir, in the order of places, each finding once.
func lint(dir string) ([]finding, error) {
	var all []finding
	read := map[string]bool{} // files that some build holds
	skipped := map[string]bool{}
	marked := newMarks()
	for _, tags := range tagSets {
		mod, err := load(dir, tags)
		if err != nil {
			return nil, err
		}
		for _, p := range mod.packages {
			all = append(all, checkPackage(mod, p, marked)...)
			for _, f := range p.files {
				read[f.path] = true
			}
			for _, path := range p.ignored {
				skipped[path] = true
			}
		}
		all = append(all, mod.broken...)
	}
	for path := range skipped {
		if !read[path] && isPure(path) {
			all = append(all, finding{Path: path, Line: 1, Col: 1, Rule: "unread", Why: "no build that lint knows holds this file, so nothing proves it pure"})
		}
	}
	all = append(all, marked.findings()...)
	all = slices.DeleteFunc(all, excepted)
	slices.SortFunc(all, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Why, b.Why))
	})
	// One finding a rule and line: `make(chan int)` is one mistake, however many of its expressions are channels.
	return slices.CompactFunc(all, func(a, b finding) bool { return a.Path == b.Path && a.Line == b.Line && a.Rule == b.Rule }), nil
}

func checkPackage(mod *module, p *pkg, marked *marks) []finding {
	c := &checker{mod: mod, pkg: p}
	for _, f := range p.files {
		c.file = f
		c.size()
		if f.test {
			continue
		}
		c.layout()
		marked.read(c)
		if isPure(f.path) {
			c.pure()
			c.maps()
		}
	}
	for _, path := range p.other {
		if isPure(path) {
			c.found = append(c.found, finding{Path: path, Line: 1, Col: 1, Rule: "foreign", Why: "assembly and C cannot be proved pure"})
		}
	}
	return c.found
}
