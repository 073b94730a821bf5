// Command lint proves what this tree promises about itself: that the core is pure, that imports point down, and that
// files and functions stay small. It works on types, not on text, and needs only Go: no network, no module beside std.
//
//	lint [DIR]    one line a finding: path:line:col: rule: why; last line "lint: N findings"; exit 1 if N > 0, 2 if it cannot run
//
//	go list -export ──▶ load: parse and type-check each package ──▶ pure    what a pure package may not use
//	                    under each set of build tags                 maprange  ranges over maps that are not sorted
//	                                                                 layout    the table of who may import whom
//	                                                                 size      files and functions
//	                                                                 marks     core/sometimes: literal names, one site each, all listed
//	                                                                   └──▶ minus exceptions: one table, with reasons
//
// No comment turns a rule off; the one way out is exceptions.go. Test files are held to file size only, since a test may
// use goroutines, clocks and other packages; generated files (*_gen.go) are free of both sizes, but not of purity.
// Read on in pure.go, then layout.go and exceptions.go.
package main
