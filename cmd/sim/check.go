package main

import (
	"bufio"
	"os"

	"github.com/seedlog/seedlog/sim/oracle"
)

// check prints what models and anomaly checkers say of a history's file.
func check(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	r, err := oracle.ReadAndCheck(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return fail(err)
	}
	printJSON(r)
	return r.Exit()
}
