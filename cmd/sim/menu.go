package main

import (
	"fmt"
	"strings"

	"github.com/seedlog/seedlog/sim/fault"
	"github.com/seedlog/seedlog/sim/plan"
)

// menu is what the flags leave to a seed to draw.
func (o *options) menu() plan.Menu {
	m := plan.Menu{Flush: o.flush, Nodes: o.nodes, MaxMS: int64(o.safety) * 1000}
	m.Classes, _ = classes(o.faults) // parse has checked them
	m.Must, _ = classes(o.must)
	return m
}

// classes reads the fault classes of a flag. nil is all of them; "none" is none.
func classes(flag string) ([]fault.Class, error) {
	switch flag {
	case "":
		return nil, nil
	case "none":
		return []fault.Class{}, nil
	}
	var cs []fault.Class
	for _, id := range strings.Split(flag, ",") {
		c, ok := fault.Parse("F:" + strings.TrimPrefix(id, "F:"))
		if !ok {
			return nil, fmt.Errorf("fault class %q; use ids of verification.md, as N1,P2", id)
		}
		cs = append(cs, c)
	}
	return cs, nil
}
