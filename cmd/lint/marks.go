package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
)

// marksFolder is the package of marks; without it in a module there is nothing to check.
const marksFolder = "core/sometimes"

// marks gathers the names at the sites of all builds, and the list that must have each of them once.
type marks struct {
	sites  map[string]finding // by name: the first site
	listed map[string]finding
	order  []string // of the list
	found  []finding
}

func newMarks() *marks { return &marks{sites: map[string]finding{}, listed: map[string]finding{}} }

// read takes in one file of a package.
func (m *marks) read(c *checker) {
	ast.Inspect(c.file.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f := callee(c, n); f != nil && f.Pkg() != nil && f.Pkg().Path() == c.mod.path+"/"+marksFolder {
				m.site(c, f.Name(), n)
			}
		case *ast.ValueSpec:
			if c.pkg.path == marksFolder && len(n.Names) == 1 && n.Names[0].Name == "Names" && len(n.Values) == 1 {
				m.list(c, n.Values[0])
			}
		}
		return true
	})
}

// callee gives the function that a call names, nil if it is none.
func callee(c *checker, n *ast.CallExpr) *types.Func {
	id, _ := n.Fun.(*ast.Ident)
	if s, ok := n.Fun.(*ast.SelectorExpr); ok {
		id = s.Sel
	}
	if id == nil {
		return nil
	}
	f, _ := c.pkg.info.Uses[id].(*types.Func)
	return f
}

// site takes in one call of the package: Hit(name) or If(ok, name).
func (m *marks) site(c *checker, f string, n *ast.CallExpr) {
	if c.pkg.path == marksFolder || f != "Hit" && f != "If" || len(n.Args) == 0 {
		return
	}
	here := c.mark(n.Pos(), "")
	name, ok := literal(n.Args[len(n.Args)-1])
	first, twice := m.sites[name]
	switch {
	case !ok:
		here.Why = "a mark's name is a literal, so that it can be found and listed"
		m.found = append(m.found, here)
	case twice && (first.Path != here.Path || first.Line != here.Line):
		here.Why = fmt.Sprintf("the mark %q stands at %s:%d too; each place has a name of its own", name, first.Path, first.Line)
		m.found = append(m.found, here)
	case !twice:
		m.sites[name] = here
	}
}

func (m *marks) list(c *checker, e ast.Expr) {
	l, ok := e.(*ast.CompositeLit)
	if !ok || len(m.order) > 0 { // another build has read it
		return
	}
	for _, x := range l.Elts {
		here := c.mark(x.Pos(), "")
		name, ok := literal(x)
		switch {
		case !ok:
			here.Why = "the list of marks has literals only"
		case len(m.order) > 0 && m.order[len(m.order)-1] >= name:
			here.Why = fmt.Sprintf("the mark %q is out of order; the list is sorted, each name once", name)
		}
		if here.Why != "" {
			m.found = append(m.found, here)
		}
		m.order = append(m.order, name)
		m.listed[name] = here
	}
}

// findings gives what is wrong once every build has been read.
func (m *marks) findings() []finding {
	for name, at := range m.sites {
		if _, ok := m.listed[name]; !ok {
			at.Why = fmt.Sprintf("the mark %q is not in %s's Names, so nobody would miss it", name, marksFolder)
			m.found = append(m.found, at)
		}
	}
	for name, at := range m.listed {
		if _, ok := m.sites[name]; !ok {
			at.Why = fmt.Sprintf("no site has the mark %q", name)
			m.found = append(m.found, at)
		}
	}
	return m.found
}

// mark makes a finding of this rule, which may come to be one.
func (c *checker) mark(pos token.Pos, why string) finding {
	at := c.mod.fset.Position(pos)
	return finding{Path: c.file.path, Line: at.Line, Col: at.Column, Rule: "mark", Why: why}
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil && s != ""
}
