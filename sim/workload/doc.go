// Package workload draws what the clients of a run do, as data, and builds the clients from it.
//
// It owns the plan's client part: topics and programs, JSON with a version. It promises that the same plan builds the same clients, that
// a program can be taken out of a plan without changing the others (each names its own id), and that every plan ends with readers that
// read everything once more. It draws from whatever Source it is given: a keyed stream for a seed, rapid's for a test.
//
//	Source ──Draw──▶ Plan (topics, programs) ──Build──▶ []client.Client, *client.Shared
//
// Next: workload.go; then package client for what each program does.
package workload
