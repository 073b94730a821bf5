// Package quorum runs hashicorp/raft for one node: its log, stable and snapshot stores over io/disk, its transport over streams that
// shard 0 carries (core/metadata/link). It is the one place in core with goroutines, and nothing in core imports it.
package quorum

import _ "github.com/hashicorp/raft" // the library; node.go
