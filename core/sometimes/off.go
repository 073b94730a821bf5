//go:build !marks

package sometimes

// On says whether this build counts marks. A condition that costs something stands behind it.
const On = false

// Hit is nothing in this build.
func Hit(name string) {}

// If is nothing in this build.
func If(ok bool, name string) {}

// Counts gives no counts: this build has none.
func Counts() map[string]int64 { return nil }

// Set is nothing in this build.
func Set(map[string]int64) {}
