package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"
)

// isPure says whether the purity rules hold for a file: all of the core but its adapter to raft, and the contracts of io/.
func isPure(path string) bool {
	return under(path, "core") && !under(path, "core/quorum") || under(path, "io")
}

// under says whether path is folder, or lies in it.
func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// bannedImports are packages of std that no pure file may import, each with those below it, and the rule that it breaks.
var bannedImports = []struct{ path, rule, why string }{
	{"sync", "lock", "the core has no locks, pools or atomics: a shard's state has one thread"},
	{"unsafe", "unsafe", "what unsafe code does cannot be proved"},
	{"context", "context", "contexts hold channels and clocks"},
	{"time", "clock", "time comes in with each step, as io/clock's types"},
	{"os", "os", "files, environment and processes are effects"},
	{"path/filepath", "os", "it reads the file system; package path does not"},
	{"io/fs", "os", "files are effects"},
	{"io/ioutil", "os", "files are effects"},
	{"embed", "os", "files are effects"},
	{"net", "network", "sockets are effects"},
	{"syscall", "os", "system calls are effects"},
	{"golang.org/x/sys", "os", "system calls are effects"},
	{"log", "print", "the core logs through effects"},
	{"math/rand", "rand", "randomness comes from core/prng, seeded by the driver"},
	{"crypto/rand", "rand", "randomness comes from core/prng, seeded by the driver"},
	{"hash/maphash", "rand", "its seed differs from process to process"},
	{"runtime", "runtime", "what the runtime tells or does differs from run to run"},
	{"plugin", "os", "files are effects"},
	{"testing", "test", "tests belong in test files"},
	{"weak", "runtime", "the collector decides what it gives"},
	{"unique", "lock", "it is a shared table behind a lock"},
	{"C", "foreign", "C cannot be proved pure"},
}

// bannedNames are functions and methods, by their full names, that no pure file may name.
var bannedNames = map[string]struct{ rule, why string }{
	"fmt.Print":                     {"print", "the core writes to no stream"},
	"fmt.Printf":                    {"print", "the core writes to no stream"},
	"fmt.Println":                   {"print", "the core writes to no stream"},
	"fmt.Scan":                      {"print", "the core reads from no stream"},
	"fmt.Scanf":                     {"print", "the core reads from no stream"},
	"fmt.Scanln":                    {"print", "the core reads from no stream"},
	"iter.Pull":                     {"coroutine", "two or more awaits are a task, and core/task makes those"},
	"iter.Pull2":                    {"coroutine", "two or more awaits are a task, and core/task makes those"},
	"io.Pipe":                       {"lock", "a pipe needs a second goroutine"},
	"maps.DeleteFunc":               {"maprange", "it calls back in the map's order"},
	"(reflect.Value).MapRange":      {"maprange", "it gives keys in the map's order"},
	"(reflect.Value).MapKeys":       {"maprange", "it gives keys in the map's order"},
	"(reflect.Value).Seq":           {"maprange", "over a map it goes in the map's order"},
	"(reflect.Value).Seq2":          {"maprange", "over a map it goes in the map's order"},
	"(reflect.Value).UnsafePointer": {"unsafe", "what unsafe code does cannot be proved"},
	"(reflect.Value).UnsafeAddr":    {"unsafe", "what unsafe code does cannot be proved"},
	"(reflect.Value).Pointer":       {"unsafe", "addresses differ from run to run"},
}

// checker looks at one file of one package at a time.
type checker struct {
	mod   *module
	pkg   *pkg
	file  *file
	found []finding
}

func (c *checker) add(pos token.Pos, rule, subject, why string) {
	at := c.mod.fset.Position(pos)
	c.found = append(c.found, finding{Path: c.file.path, Line: at.Line, Col: at.Column, Rule: rule, Subject: subject, Why: why})
}

// pure applies the purity rules that hold for single nodes of the tree.
func (c *checker) pure() {
	c.pureImports()
	for _, group := range c.file.ast.Comments {
		for _, line := range group.List {
			if strings.HasPrefix(line.Text, "//go:linkname") {
				c.add(line.Pos(), "linkname", "", "go:linkname reaches into the runtime")
			}
		}
	}
	ast.Inspect(c.file.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.add(n.Pos(), "goroutine", "", "the core starts no goroutine: a shard is one thread")
		case *ast.SelectStmt:
			c.add(n.Pos(), "channel", "", "the core never blocks")
		case *ast.SendStmt:
			c.add(n.Pos(), "channel", "", "the core never blocks")
		case *ast.BasicLit:
			// int(1e3) is an int, but the constant is computed as a float.
			if n.Kind == token.FLOAT || n.Kind == token.IMAG {
				c.add(n.Pos(), "float", "", n.Value+" is a float; write whole numbers out")
			}
		case *ast.Ident:
			c.name(n)
		}
		if e, ok := n.(ast.Expr); ok {
			c.expr(e)
		}
		return true
	})
}

func (c *checker) pureImports() {
	for _, spec := range c.file.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		for _, b := range bannedImports {
			if under(path, b.path) {
				c.add(spec.Pos(), b.rule, path, fmt.Sprintf("import of %s: %s", path, b.why))
			}
		}
		if third(c.mod.path, path) {
			c.add(spec.Pos(), "thirdparty", path, fmt.Sprintf("import of %s: nothing proves that other people's code is pure and starts no goroutine", path))
		}
	}
}

// third says whether an import path is neither std's nor the module's own.
func third(module, path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && !under(path, module)
}

// name looks at what an identifier stands for.
func (c *checker) name(id *ast.Ident) {
	switch o := c.pkg.info.Uses[id].(type) {
	case *types.Builtin:
		if o.Name() == "print" || o.Name() == "println" {
			c.add(id.Pos(), "print", "", "the core writes to no stream")
		}
	case *types.Func:
		if b, ok := bannedNames[o.Origin().FullName()]; ok {
			c.add(id.Pos(), b.rule, o.FullName(), fmt.Sprintf("%s: %s", o.FullName(), b.why))
		}
	}
}

// expr looks at the type of an expression, or at the type that it names.
func (c *checker) expr(e ast.Expr) {
	tv, ok := c.pkg.info.Types[e]
	if !ok || tv.Type == nil {
		return
	}
	switch t := tv.Type.Underlying().(type) {
	case *types.Chan:
		c.add(e.Pos(), "channel", "", "the core has no channels: "+types.ExprString(e)+" is one")
	case *types.Basic:
		if t.Info()&(types.IsFloat|types.IsComplex) != 0 {
			c.add(e.Pos(), "float", "", "floats may differ between machines: "+types.ExprString(e)+" is one")
		}
		if t.Kind() == types.UnsafePointer {
			c.add(e.Pos(), "unsafe", "", "what unsafe code does cannot be proved")
		}
	}
}
