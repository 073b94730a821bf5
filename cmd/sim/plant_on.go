//go:build mutants

package main

import (
	"fmt"
	"slices"

	"github.com/seedlog/seedlog/core/plant"
)

// plantMutant makes one mutant active in this process, or none, and gives what counts how often its site was reached.
func plantMutant(name string) (hits func() int64, err error) {
	i := slices.Index(plant.Names[:], name)
	if i < 0 {
		return nil, fmt.Errorf("no mutant %q", name)
	}
	plant.Active, plant.Hits = plant.ID(i), 0
	return func() int64 { return plant.Hits }, nil
}
