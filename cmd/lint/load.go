package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is one module under one set of build tags.
type module struct {
	path     string // its module path
	dir      string
	fset     *token.FileSet
	packages []*pkg
	own      map[string]*types.Package // by import path, checked from source, so that one broken package hides no other
	export   types.Importer            // of everything else
	broken   []finding                 // what does not parse or type-check
}

type pkg struct {
	path    string // relative to the module, "." at its top
	files   []*file
	other   []string // assembly, C
	ignored []string // Go files that this build leaves out
	info    *types.Info
}

type file struct {
	path string // relative to the module, with slashes
	ast  *ast.File
	test bool
	gen  bool
}

// listed is what `go list -json` says of a package.
type listed struct {
	Dir, ImportPath, Export        string
	GoFiles, CgoFiles              []string
	TestGoFiles, XTestGoFiles      []string
	SFiles, CFiles, IgnoredGoFiles []string
	DepOnly, Standard              bool
	Module                         *struct{ Path, Dir string }
	Error                          *struct{ Err string }
}

// load lists, parses and type-checks all packages of the module at dir. Dependencies come from the build cache's export
// data, which the go command makes for the purpose; nothing is fetched.
func load(dir, tags string) (*module, error) {
	all, err := list(dir, tags)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	mod := &module{fset: token.NewFileSet()}
	for _, l := range all {
		exports[l.ImportPath] = l.Export
		if !l.DepOnly && l.Module != nil {
			mod.path, mod.dir = l.Module.Path, l.Module.Dir
		}
	}
	if mod.dir == "" {
		return nil, fmt.Errorf("%s holds no Go module; name the folder of one", dir)
	}
	mod.own = map[string]*types.Package{}
	mod.export = importer.ForCompiler(mod.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, errors.New("it does not build")
		}
		return os.Open(exports[path])
	})
	for _, l := range all { // dependencies come first
		if l.DepOnly || l.Standard {
			continue
		}
		if err := mod.add(l); err != nil {
			return nil, err
		}
	}
	return mod, nil
}

func list(dir, tags string) ([]*listed, error) {
	cmd := exec.Command("go", "list", "-e", "-export", "-deps", "-json", "-tags="+tags, "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w: %s", dir, err, stderr.String())
	}
	var all []*listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		l := new(listed)
		if err := d.Decode(l); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("output of go list: %w", err)
		}
		all = append(all, l)
	}
}

// Import gives the type checker a package.
func (m *module) Import(path string) (*types.Package, error) {
	if p := m.own[path]; p != nil {
		return p, nil
	}
	return m.export.Import(path)
}

// add parses and checks one package.
func (m *module) add(l *listed) error {
	rel, err := filepath.Rel(m.dir, l.Dir)
	if err != nil {
		return fmt.Errorf("package %s: %w", l.ImportPath, err)
	}
	p := &pkg{path: filepath.ToSlash(rel)}
	m.packages = append(m.packages, p)
	name := func(f string) string { return strings.TrimPrefix(p.path+"/"+f, "./") }
	if l.Error != nil && len(l.GoFiles) == 0 && len(l.IgnoredGoFiles) == 0 {
		m.broken = append(m.broken, finding{Path: p.path, Line: 1, Col: 1, Rule: "build", Why: oneLine(l.Error.Err)})
	}
	for _, f := range append(l.SFiles, l.CFiles...) {
		p.other = append(p.other, name(f))
	}
	for _, f := range l.IgnoredGoFiles {
		p.ignored = append(p.ignored, name(f))
	}
	var code []*ast.File
	for _, group := range [][]string{l.GoFiles, l.CgoFiles, l.TestGoFiles, l.XTestGoFiles} {
		for _, f := range group {
			parsed, err := parser.ParseFile(m.fset, filepath.Join(l.Dir, f), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				m.broken = append(m.broken, finding{Path: name(f), Line: 1, Col: 1, Rule: "build", Why: oneLine(err.Error())})
			}
			if parsed == nil {
				continue
			}
			one := &file{path: name(f), ast: parsed, test: strings.HasSuffix(f, "_test.go"), gen: strings.HasSuffix(f, "_gen.go")}
			p.files = append(p.files, one)
			if !one.test {
				code = append(code, parsed)
			}
		}
	}
	m.check(p, l.ImportPath, code)
	return nil
}

func (m *module) check(p *pkg, path string, code []*ast.File) {
	p.info = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	conf := types.Config{Importer: m, FakeImportC: true, Error: func(err error) {
		var e types.Error
		if !errors.As(err, &e) {
			return
		}
		at := m.fset.Position(e.Pos)
		m.broken = append(m.broken, finding{Path: m.rel(at.Filename), Line: at.Line, Col: at.Column, Rule: "build", Why: oneLine(e.Msg)})
	}}
	// Each error came through conf.Error; what could be checked is in p.info.
	m.own[path], _ = conf.Check(path, m.fset, code, p.info)
}

func (m *module) rel(name string) string {
	if rel, err := filepath.Rel(m.dir, name); err == nil {
		return filepath.ToSlash(rel)
	}
	return name
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
