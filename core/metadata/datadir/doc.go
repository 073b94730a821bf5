// Package datadir reads or makes Kafka's meta.properties, the file of a data directory that says whose it is.
//
// It promises that a directory of another node or another cluster is refused with a line that says what to do, and that the file is
// there whole or not at all. It runs inside a task, before anything else is read. It does not lock the directory: the broker does.
// Read next: datadir.go; core/metadata/solo.
package datadir
