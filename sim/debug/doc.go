// Package debug steps a run to any of its events and back, and prints what stands there: nodes, partitions, connections, disks, the history.
//
// It owns the commands and what they print, which holds no wall time: one plan and one script give one text. It changes nothing in a run, and
// every look is between two events. The past is a fresh run that stops earlier. A World is one run; a plan with a quorum repeats only as
// the first run of its process, so there a World is another process that has a Local, and its session speaks to it by Requests.
//
//	script ──▶ Session ──Go, Show──▶ World (Local, or a process around one) ──Next──▶ cluster
//	                 ◀──Stop: where, what ended, marks──
//
// A mark is the hash of the trace after an event. A session keeps them, and says so in capitals where a run that went the same way again has
// others: what is shown then is of another run.
//
// Read next: session.go, local.go, then one file a command.
package debug
