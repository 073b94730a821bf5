//go:build !mutants

package main

import "fmt"

// plantMutant refuses: this build has no mutants in it.
func plantMutant(name string) (hits func() int64, err error) {
	if name != "" {
		return nil, fmt.Errorf("this build has no mutants; build with -tags mutants")
	}
	return func() int64 { return 0 }, nil
}
