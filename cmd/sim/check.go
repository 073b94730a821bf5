package main

import "fmt"

// checkHistory judges a history's file; package models brings it.
var checkHistory func(path string) (result any, exit int, err error)

// check prints what the models say of a history.
func check(path string) int {
	if checkHistory == nil {
		return fail(fmt.Errorf("this build has no history checks"))
	}
	result, exit, err := checkHistory(path)
	if err != nil {
		return fail(err)
	}
	printJSON(result)
	return exit
}
