// Package seedlogtest gives the tests of a Go program a real cluster of Seedlog: whole brokers in the test's own process, over a network and
// disks in memory, on the virtual time of a testing/synctest bubble, with everything that can go wrong as method calls.
//
//	func TestOrdersSurviveALeaderCrash(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			c := seedlogtest.New(t, seedlogtest.Nodes(3))
//			cl, _ := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.Dialer(c.Dialer()))
//			defer cl.Close()
//			…
//			c.Leader("orders", 0).Kill()
//			…
//		})
//	}
//
// # What is real
//
// The brokers are the code that production runs: shards, logs, replication, groups, transactions, and hashicorp/raft for the metadata. What
// they stand on is that of the project's simulator: disks know what was synced and what was not, machines lose power, links are cut. Any client
// library can be used whose connections come from a dial function; franz-go's is kgo.Dialer. Clients speak plaintext to the listener that
// Addrs tells of.
//
// # Time
//
// In a bubble nobody waits: time goes on once every goroutine is blocked, at once to the next thing that happens. A session of 45 s that
// must expire takes some milliseconds of CPU. Everything that the test starts has to live in the bubble: clients are made within it and are
// closed before it ends. New registers the cluster's end with t.Cleanup, so that a client which was closed by defer is closed before. A call that
// waits for ever waits for ever here as well, while brokers beat their hearts: give contexts a time-out, which costs nothing.
//
// Processing takes no time: only the network (30 to 250 µs a hop), the disk (a sync 0.2 to 3 ms, one in a hundred 10 to 40 ms) and
// timers do. So nothing here is a measurement of speed.
//
// Outside of a bubble a cluster works too, and its time is the machine's.
//
// # What repeats and what does not
//
// Latencies and what a crash tears come from Seed. But goroutines of the bubble, the client's and raft's among them, are run by Go's
// scheduler in an order of its own, so two runs of one test are alike and not equal. A test must not depend on more than it would against any
// cluster. (The project's own simulator repeats to the bit; it needs a patched runtime and clients of its own.)
//
// # What a client must not do in a bubble
//
// The runtime ends the process where a goroutine of one bubble, or of none, uses another bubble's channel. So a client lives and ends in one
// bubble, and keeps nothing of it for later. franz-go 1.22 keeps one thing: whoever has read records that were compressed with zstd has a
// decoder whose finalizer closes a channel of the bubble after its end. Its default, snappy, and the other codecs are fine; for zstd give it
// a decoder of your own by kgo.WithDecompressor.
//
// # Differences from a cluster that was set up by hand
//
// Settings are the brokers' own defaults but for these, which Config overrides: default.replication.factor is 3, or as many as there are
// brokers, and __consumer_offsets and __transaction_state have 4 partitions instead of 50. A broker has 2 shards. Clients speak plaintext, to
// one listener. Disks have no end until FillDisk. A lying disk (LoseSyncs) never lies about a broker's copy of the metadata. A paused
// broker's threads stand; the goroutines of its raft do not, but they reach neither its disk nor its network.
//
// Brokers, clients and raft share one process: a broker's failed assertion fails the test, and its stack is told.
//
// # Read next
//
// survive_test.go has what a program's tests look like: a consumer that survives a leader's crash, a full disk, a partition, a lost fsync;
// faults_test.go and network_test.go show what each fault does.
//
// # Who owns what
//
//	client goroutine ──Read, Write──▶ conn ─┐ lock
//	test goroutine ──Kill, Partition…──────▶├─▶ world: sim/cluster's event heap, brokers, network, disks
//	raft's goroutines ──wake, no lock──────▶│
//	driver goroutine ──sleeps until the ────┘
//	                   next event is due
//
// The world has no time of its own. Whoever enters it first lets happen all that is due by the bubble's clock, and wakes the driver, which
// sleeps until the next event. Nobody waits while it has the lock; what waits (a Read without bytes, a Write without room, the driver) waits
// on channels and timers of the bubble, so that the bubble's time can go on. At the end processes are killed, connections fail, the driver
// returns, and time passes until raft's goroutines have ended.
package seedlogtest
