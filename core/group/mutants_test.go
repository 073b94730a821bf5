//go:build mutants

package group

import (
	"os"
	"slices"
	"testing"

	"github.com/seedlog/seedlog/core/plant"
)

// TestMain plants the mutant that MUTANT names: then a test of this package must fail.
func TestMain(m *testing.M) {
	plant.Active = plant.ID(max(0, slices.Index(plant.Names[:], os.Getenv("MUTANT"))))
	os.Exit(m.Run())
}
