// Package datadir opens a data directory: it locks it, and reads or makes Kafka's meta.properties, which says whose it is.
//
// It promises that no two processes work in one directory, and that a directory of another node or another cluster is refused with a line
// that says what to do. It runs inside a task, before everything else. Read next: datadir.go; core/metadata/solo.
package datadir
