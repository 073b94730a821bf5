package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// layers are the tree's imports, in one table: what lies in a folder may import from these folders of the module, and
// from no other. The longest folder that matches counts. What is not in the table may import all but commands.
// Source: DESIGN.md, "Layout".
var layers = []struct {
	folder string
	may    []string
}{
	{"io", []string{"io"}},
	{"core/assert", leaves}, {"core/env", leaves}, {"core/flight", leaves}, {"core/kerr", leaves}, {"core/list", leaves}, {"core/plant", leaves},
	{"core/prng", leaves}, {"core/records", leaves}, {"core/sometimes", leaves}, {"core/step", leaves}, {"core/task", leaves}, {"core/timer", leaves},
	{"core/wire", leaves},
	{"core", []string{"io", "core", "!core/api", "!core/broker", "!core/quorum"}}, // the machines
	{"core/quorum", []string{"io", "core", "!core/api", "!core/broker"}},
	{"core/api", []string{"io", "core", "!core/broker", "!core/quorum"}},
	{"core/broker", []string{"io", "core", "!core/quorum"}},
	{"realnet", []string{"io", "core/step", "realnet"}},
	{"realdisk", []string{"io", "core/step", "realdisk"}},
	{"sim", []string{"io", "core", "models", "sim"}},
	{"seedlogtest", []string{"io", "core", "sim", "seedlogtest"}},
	{"models", []string{"models", "sim/history", "io/clock"}}, // the form of a history and the unit of its times, not what made it
	{"cmd", []string{"", "!cmd"}},
	{"jepsen", []string{"", "!cmd"}},
}

// leaves is what the core's leaves may import: the contracts, and each other.
var leaves = []string{"io", "core/assert", "core/env", "core/flight", "core/kerr", "core/list", "core/plant", "core/prng", "core/records", "core/sometimes", "core/step", "core/task", "core/timer", "core/wire"}

// joiners are the only folders whose packages may import both the core and what stands for the real world.
var joiners = []string{"cmd", "jepsen"}

// allowed says whether a package may import another, both as folders of the module.
func allowed(from, to string) bool {
	may := []string{"", "!cmd"}
	longest := -1
	for _, l := range layers {
		if under(from, l.folder) && len(l.folder) > longest {
			may, longest = l.may, len(l.folder)
		}
	}
	ok := false
	for _, folder := range may {
		if banned, not := strings.CutPrefix(folder, "!"); not {
			// A folder's own packages may import each other.
			if under(to, banned) && !under(from, banned) {
				return false
			}
		} else if folder == "" || under(to, folder) {
			ok = true
		}
	}
	return ok
}

// layout finds imports that point up or across.
func (c *checker) layout() {
	from := c.pkg.path
	var core, real string
	for _, spec := range c.file.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !under(path, c.mod.path) {
			continue
		}
		to := strings.TrimPrefix(strings.TrimPrefix(path, c.mod.path), "/")
		if !allowed(from, to) {
			c.add(spec.Pos(), "layout", to, fmt.Sprintf("%s may not import %s: imports point down (DESIGN.md, \"Layout\")", from, to))
		}
		if under(to, "core") && to != "core/step" {
			core = to
		}
		if strings.HasPrefix(to, "real") {
			real = to
		}
		joins := slices.ContainsFunc(joiners, func(j string) bool { return under(from, j) })
		if core != "" && real != "" && !joins {
			c.add(spec.Pos(), "layout", to, fmt.Sprintf("%s imports both %s and %s: only cmd and jepsen join the core with the real world", from, core, real))
		}
	}
}
