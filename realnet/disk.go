package realnet

import (
	"syscall"

	"github.com/seedlog/seedlog/io/disk"
)

// Disk executes the shards' requests. Except for SendFile, which any thread may call, methods are called by the thread of the shard that they name.
type Disk interface {
	// Attach names the function that is called, on any thread, when Completed has something for the shard, and an eventfd that may be written instead.
	Attach(shard int, wake func(), bell int)
	// Execute begins the requests and appends the completions of those that were finished at once.
	Execute(shard int, reqs []disk.Request, done []disk.Completion) []disk.Completion
	// Completed appends what was finished since: completions, and the keys of Warm.
	Completed(shard int, done []disk.Completion, warmed []uint64) ([]disk.Completion, []uint64)
	// SendFile sends what the socket takes of x. A count of 0 without an error means that the file ends before x.
	SendFile(sock int, x disk.Extent) (int, syscall.Errno)
	// Cached says whether sending x does not wait for the disk.
	Cached(shard int, x disk.Extent) bool
	// Warm reads the start of x ahead; Completed returns key, which is not 0, when SendFile should not wait any more.
	Warm(shard int, x disk.Extent, key uint64)
}
