// Package oracle judges a run while it goes on: one property a file, each counting its checks.
//
// It owns the ghost state that properties need (what was acknowledged, what was read) and the View through which it sees the cluster.
// It promises to name the property, what was and what is, and to count every comparison it makes: an oracle with no check in a run
// that should have exercised it is a failure of the harness. It never changes what it looks at, and imports nothing that it judges.
//
//	clients ──*history.Event──▶ Suite ──▶ Oracle.Event
//	engine  ──View───────────▶  Suite ──▶ Oracle.Step, Oracle.End ──▶ *Failure
//
// Next: view.go, suite.go, then any property.
package oracle
