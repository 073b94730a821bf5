package main

import (
	"fmt"
	"go/ast"
)

const (
	maxFileLines = 800
	maxFuncLines = 70
)

// size finds files and functions that are too long to read in one go. A function's length is from its first line to its
// closing brace. Tests are held to the first only: a table of cases is long and easy.
func (c *checker) size() {
	if c.file.gen {
		return
	}
	if lines := c.mod.fset.File(c.file.ast.FileStart).LineCount(); lines > maxFileLines {
		c.add(c.file.ast.Package, "filesize", "", fmt.Sprintf("%d lines, at most %d: it holds more than one noun", lines, maxFileLines))
	}
	if c.file.test {
		return
	}
	ast.Inspect(c.file.ast, func(n ast.Node) bool {
		name, subject := "", ""
		switch n := n.(type) {
		case *ast.FuncDecl:
			name, subject = n.Name.Name, n.Name.Name
		case *ast.FuncLit:
			name = "a function literal"
		default:
			return true
		}
		lines := c.mod.fset.Position(n.End()).Line - c.mod.fset.Position(n.Pos()).Line + 1
		if lines > maxFuncLines {
			c.add(n.Pos(), "funcsize", subject, fmt.Sprintf("%s has %d lines, at most %d: branch in the parent, compute in leaves", name, lines, maxFuncLines))
		}
		return true
	})
}
