// Package simnet is the network of a run: byte streams between clients and nodes, with everything that can happen to bytes on their way.
//
// A connection has two Halves. Frames become bytes with four bytes of length before them, as in production; bytes leave in pieces that
// are cut anywhere (F:N8), travel for a drawn time (F:N1), wait behind a slow window (F:N7), a clog or a partition (F:N6, F:N5), and
// come out in order, to be made frames again. A connection may be reset inside a request or inside a response (F:N2), one request may
// arrive minutes late although its client has hung up (F:N3), and a request may be sent once more on a second connection (F:N4). Of nodes' requests
// that goes for those of which their host says so; raft's streams are left alone.
// Bytes of an extent are read from the disk when they leave, not when they were sent.
//
//	Send ─▶ queue ─pump─▶ piece ──delay──▶ peer's rx ─▶ Host.Readable ─▶ Half.Next
//	                  └▶ SendDone when the last byte has left, or the connection is gone
//
// Each connection draws from streams of its own, one a fault class, named by who dialled and the how-manieth time.
// Read next: half.go, pump.go, dial.go.
package simnet
