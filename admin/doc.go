// Package admin is the broker's door for people and their tools: health and metrics over HTTP.
//
// It owns the HTTP server, the answers of the probes and the names of the metrics. It promises that a probe never waits for a scrape, that the two
// probes answer different questions (is it alive: restart it if not; is it ready: send it no clients yet), and that no client's choice of
// names, such as a group id that is no UTF-8, breaks a scrape. It never touches the core: all it knows comes from a Source.
//
//	GET /healthz ─┐             ┌─ Status()
//	GET /readyz  ─┼─▶ Handler ──┤                 Source (cmd/broker: mail to the shards)
//	GET /metrics ─┘             └─ Snapshot()
//
// Read server.go first; collect.go has every metric's name and where it comes from.
package admin
