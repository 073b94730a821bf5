// Package client holds the simulator's clients: small pure state machines that speak the wire protocol.
//
// It owns producers, consumers by assignment, group members, an administrator and a misbehaver, and the connection handling that they
// share. They promise to record what they ask and what they are told in a history, and to judge nothing but what only they can see: the
// bytes of an answer (CRC, framing, offsets within a fetch). They never read a clock, a socket or a source of chance but Net, and use no
// code of the broker: requests are written with kmsg, batches and codecs are their own.
//
//	Net ──Opened, Frame, Closed, Timer──▶ base ──▶ link (one connection: versions, pending requests, deadlines, redial)
//	                                       └──▶ Producer, Consumer, Group, Admin, Misbehaver ──▶ history.Recorder
//
// A request that gets no answer within its bound closes its connection, is noted as Unheard, and counts as indeterminate.
//
// Next: net.go, base.go, link.go, then any client.
package client
