// Package run joins the broker with clients, oracles and models to one simulated run.
//
// It owns what only a whole run knows: which settings go with which fault classes, what oracles see of a broker (View), what the fault
// ledger excuses, and the verdict. It promises that a plan is one run. It never changes a shard: it reads what Inspect shows.
//
//	plan ──Draw──▶ workload + settings ──Prepare──▶ cluster.Options ──▶ cluster.Run ──▶ history ──▶ models ──▶ verdict
//
// Read next: draw.go, prepare.go, view.go.
package run
