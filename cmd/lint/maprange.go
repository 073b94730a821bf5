package main

import (
	"go/ast"
	"go/types"
	"strings"
)

// The order of a map differs from run to run. A range over one is right only where it cannot show: where the body just
// collects the keys, and the same function then sorts what it collected. The same holds for maps.Keys and its like, which
// must stand directly inside slices.Sorted and its like. Whoever needs more keeps a sorted slice.

// mapIterators are functions of package maps that give elements in the map's order, and whether sorting them makes one order.
var mapIterators = map[string]bool{"maps.Keys": true, "maps.Values": true, "maps.All": false}

// sorters take an iterator and sort what it gives.
var sorters = map[string]bool{"slices.Sorted": true, "slices.SortedFunc": true, "slices.SortedStableFunc": true}

// maps finds the ranges over maps in a file.
func (c *checker) maps() {
	sorted := map[ast.Expr]bool{} // calls of an iterator that stand in a sorter
	var functions []ast.Node      // the functions around the node, innermost last
	var path []ast.Node
	ast.Inspect(c.file.ast, func(n ast.Node) bool {
		if n == nil {
			if last := len(functions) - 1; last >= 0 && functions[last] == path[len(path)-1] {
				functions = functions[:last]
			}
			path = path[:len(path)-1]
			return true
		}
		path = append(path, n)
		switch n := n.(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			functions = append(functions, n)
		case *ast.CallExpr:
			if len(n.Args) > 0 && sorters[c.callee(n)] {
				sorted[ast.Unparen(n.Args[0])] = true
			}
			if _, iterator := mapIterators[c.callee(n)]; iterator && !(sorted[n] && mapIterators[c.callee(n)]) {
				c.add(n.Pos(), "maprange", "", c.callee(n)+" gives elements in the map's order; slices.Sorted(maps.Keys(m)) does not")
			}
		case *ast.RangeStmt:
			if c.overMap(n.X) && (len(functions) == 0 || !c.collects(n, functions[len(functions)-1])) {
				c.add(n.Pos(), "maprange", "", "a range over a map goes in an order that differs from run to run; collect the keys and sort them, or keep a sorted slice")
			}
		}
		return true
	})
	c.mapNames()
}

// mapNames finds iterators of package maps that are named without being called, as a value.
func (c *checker) mapNames() {
	called := map[*ast.Ident]bool{}
	ast.Inspect(c.file.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id := calleeIdent(call); id != nil {
				called[id] = true
			}
		}
		return true
	})
	ast.Inspect(c.file.ast, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok || called[id] {
			return true
		}
		if f, ok := c.pkg.info.Uses[id].(*types.Func); ok {
			if _, iterator := mapIterators[f.Origin().FullName()]; iterator {
				c.add(id.Pos(), "maprange", "", f.FullName()+" gives elements in the map's order")
			}
		}
		return true
	})
}

// overMap says whether an expression is a map, or of a type parameter that may be one.
func (c *checker) overMap(e ast.Expr) bool {
	t := c.pkg.info.TypeOf(e)
	if t == nil {
		return false
	}
	if p, ok := types.Unalias(t).(*types.TypeParam); ok {
		return mayBeMap(p.Constraint())
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

func mayBeMap(constraint types.Type) bool {
	switch t := constraint.Underlying().(type) {
	case *types.Map:
		return true
	case *types.Interface:
		for i := range t.NumEmbeddeds() {
			if mayBeMap(t.EmbeddedType(i)) {
				return true
			}
		}
	case *types.Union:
		for i := range t.Len() {
			if mayBeMap(t.Term(i).Type()) {
				return true
			}
		}
	}
	return false
}

// collects says whether a range over a map only collects its keys into slices that function sorts afterwards.
func (c *checker) collects(r *ast.RangeStmt, function ast.Node) bool {
	key, ok := r.Key.(*ast.Ident)
	if !ok {
		return r.Key == nil // `for range m` shows no element
	}
	if key.Name == "_" && r.Value == nil {
		return true
	}
	var into []types.Object
	if !c.onlyAppends(r.Body.List, c.pkg.info.Defs[key], &into) || len(into) == 0 {
		return false
	}
	for _, slice := range into {
		if !c.sortedAfter(slice, r, function) {
			return false
		}
	}
	return true
}

// onlyAppends says whether statements do nothing but append the key to slices, under conditions that call nothing.
func (c *checker) onlyAppends(list []ast.Stmt, key types.Object, into *[]types.Object) bool {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.IfStmt:
			if s.Init != nil || s.Else != nil || c.calls(s.Cond) || !c.onlyAppends(s.Body.List, key, into) {
				return false
			}
		case *ast.AssignStmt:
			slice := c.appendsKey(s, key)
			if slice == nil {
				return false
			}
			*into = append(*into, slice)
		default:
			return false
		}
	}
	return true
}

// appendsKey gives the x of `x = append(x, key)`.
func (c *checker) appendsKey(s *ast.AssignStmt, key types.Object) types.Object {
	if len(s.Lhs) != 1 || len(s.Rhs) != 1 || key == nil {
		return nil
	}
	call, ok := s.Rhs[0].(*ast.CallExpr)
	if !ok || len(call.Args) != 2 || call.Ellipsis.IsValid() {
		return nil
	}
	if id, ok := call.Fun.(*ast.Ident); !ok || c.pkg.info.Uses[id] != types.Universe.Lookup("append") {
		return nil
	}
	arg, ok := call.Args[1].(*ast.Ident)
	if !ok || c.pkg.info.Uses[arg] != key {
		return nil
	}
	slice := c.object(s.Lhs[0])
	if slice == nil || slice != c.object(call.Args[0]) {
		return nil
	}
	return slice
}

// object is the variable or field that an expression ends in.
func (c *checker) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if o := c.pkg.info.Uses[e]; o != nil {
			return o
		}
		return c.pkg.info.Defs[e]
	case *ast.SelectorExpr:
		return c.pkg.info.Uses[e.Sel]
	}
	return nil
}

// calls says whether an expression calls anything but a builtin or a conversion.
func (c *checker) calls(e ast.Expr) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			tv := c.pkg.info.Types[call.Fun]
			found = found || !tv.IsType() && !tv.IsBuiltin()
		}
		return !found
	})
	return found
}

// sortedAfter says whether function sorts the slice after the range.
func (c *checker) sortedAfter(slice types.Object, r *ast.RangeStmt, function ast.Node) bool {
	found := false
	ast.Inspect(function, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || call.Pos() < r.End() || len(call.Args) == 0 {
			return true
		}
		name := c.callee(call)
		if strings.HasPrefix(name, "slices.Sort") || strings.HasPrefix(name, "sort.") && !strings.HasPrefix(name, "sort.Search") {
			found = found || c.object(call.Args[0]) == slice
		}
		return true
	})
	return found
}

// callee is the full name of the function that a call names, or "".
func (c *checker) callee(call *ast.CallExpr) string {
	if id := calleeIdent(call); id != nil {
		if f, ok := c.pkg.info.Uses[id].(*types.Func); ok {
			return f.Origin().FullName()
		}
	}
	return ""
}

func calleeIdent(call *ast.CallExpr) *ast.Ident {
	fun := ast.Unparen(call.Fun)
	switch f := fun.(type) {
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	switch f := fun.(type) {
	case *ast.Ident:
		return f
	case *ast.SelectorExpr:
		return f.Sel
	}
	return nil
}
