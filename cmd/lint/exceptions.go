package main

// exception lets one rule pass in one place, for a reason.
type exception struct {
	rule    string
	folder  string // a folder or file of the module
	subject string // an import path, and those below it, or a function; "" is any
	reason  string
}

// exceptions is the one way around a rule. Whoever adds a line says why the rule's purpose is met without it.
var exceptions = []exception{
	{"coroutine", "core/task", "", "a task is a coroutine on the shard's own thread; this is the package that makes them"},
	{"thirdparty", "core/records/compress", "github.com/klauspost/compress", "codecs, with concurrency 1: a test counts goroutines"},
	{"thirdparty", "core/records/compress", "github.com/pierrec/lz4/v4", "a codec, with concurrency 1: a test counts goroutines"},
	{"thirdparty", "core/api", kmsgPath, kmsgReason},
	{"thirdparty", "core/broker", kmsgPath, kmsgReason},
	{"thirdparty", "core/controller", kmsgPath, kmsgReason},
	{"thirdparty", "core/coordinator", kmsgPath, kmsgReason},
	{"thirdparty", "core/group", kmsgPath, kmsgReason},
	{"thirdparty", "core/replica", kmsgPath, kmsgReason},
	{"thirdparty", "core/txn", kmsgPath, kmsgReason},
	{"thirdparty", "core/wire", kmsgPath, kmsgReason},
	{"float", "core/wire", "", "fields of the protocol that are float64 on the wire (quotas), carried and not computed with"},
	{"float", "core/quota", "", "client quotas are float64 in the protocol; they are turned into whole numbers where they come in"},
}

const (
	kmsgPath   = "github.com/twmb/franz-go/pkg/kmsg"
	kmsgReason = "generated structs with encoders and decoders over byte slices: no goroutine, clock or global state"
)

// excepted says whether the table lets a finding pass.
func excepted(f finding) bool {
	for _, e := range exceptions {
		if e.rule == f.Rule && under(f.Path, e.folder) && (e.subject == "" || under(f.Subject, e.subject)) {
			return true
		}
	}
	return false
}
