// Package history is the log of what the clients of a run did and were told: the one input of every check that judges clients.
//
// It owns the Event, its JSON form (one line an event, Jepsen's shape) and the Recorder that numbers events. It promises that an event
// written and read again is the same event, and that the sequence numbers of one run are dense and in virtual-time order.
// It never judges.
//
//	client ──Invoke/Complete──▶ Recorder ──*Event──▶ oracles, while the run goes on
//	                                └──────JSONL───▶ build/sim check, afterwards
//
// A process is a sequence of operations, each invoked and then completed before the next. A client with several requests in flight has
// several processes: ProcessOf(client, slot).
//
// An operation, as JSON:
//
//	{"i":0,"process":3,"type":"invoke|ok|fail|info","f":"send","value":[["send","t/0",[12,"v3.7"],{"acks":-1}]],"t_ns":1,"error":"…"}
//
// Type ok means that it happened, fail that it definitely did not, info that nobody knows. Values of one key are unique.
// Next: event.go for the fields, json.go for each micro-operation's form, then package models.
package history
