// Package disk is what the core may ask of files. Each Request carries a Token and completes exactly once, as a
// Completion with that token, on errors too.
//
// The promises that the core builds on, and that realdisk keeps and simdisk breaks only by injected faults:
//   - A Write is visible to Reads and Extents at its completion, and durable only after a Sync of the file that was
//     requested after that completion. A Truncate likewise.
//   - A new, renamed or removed name is durable only after a SyncDir of its directory that was requested after it completed.
//   - After a failed Sync nothing may be assumed of the file.
//   - At most one Write or Truncate of a file is in flight. Requests of different files complete in any order, and so do
//     Reads and Syncs of one file.
//   - Requests of one step, or of several steps that a driver executes together, are concurrent: if B must follow A, B is
//     requested when A has completed.
package disk

// Token matches a completion to what waits for it. 0 is no token.
type Token uint64

// File is an open file's number. The core chooses it: shard number in the top 8 bits, so that an extent can leave through
// a connection of another shard. 0 is no file. A number is free again once its Close has completed.
type File uint32

// MaxFilesPerShard bounds the low 24 bits of a File.
const MaxFilesPerShard = 1 << 24

// FileOf gives the File with index i (from 1) of a shard.
func FileOf(shard int, i int) File { return File(shard)<<24 | File(i) }

// Shard gives the shard that opened the file.
func (f File) Shard() int { return int(f >> 24) }

// Index gives the number within the shard.
func (f File) Index() int { return int(f & (MaxFilesPerShard - 1)) }

// Kind says what a Request asks.
type Kind uint8

// The kinds of request, with the fields that each reads and what its completion carries.
const (
	Open      Kind = iota + 1 // File, Path, Flags            N = size in bytes
	Close                     // File
	Lock                      // File: an exclusive lock until Close; ErrLocked if another process holds it
	Write                     // File, Off, Vec               N = bytes written (fewer than asked only with an error)
	Sync                      // File
	Read                      // File, Off, Bytes             N = bytes read (fewer than asked: end of file)
	Readahead                 // File, Off, Size: a hint
	Truncate                  // File, Size
	Allocate                  // File, Off, Size: reserves blocks, keeps the size; a hint, ErrUnsupported is normal
	Rename                    // Path, NewPath: replaces NewPath
	Remove                    // Path: a file or an empty directory
	List                      // Path                         Names, sorted; directories end in '/'
	Mkdir                     // Path, with its parents; no error if it exists
	SyncDir                   // Path
	Free                      // Path                         N = bytes free on the file system that holds Path, Total = its size
)

// Flags of Open.
type Flags uint8

// The flags of Open. Files are opened for reading and writing.
const (
	Create    Flags = 1 << iota // make it if it does not exist
	Exclusive                   // with Create: ErrExist if it does
	ReadOnly
)

// Err is what became of a request. It is a plain value, so that completions neither allocate nor differ between drivers.
type Err uint8

// The errors that the core tells apart; a driver maps everything else to ErrIO.
const (
	OK Err = iota
	ErrNotExist
	ErrExist
	ErrNoSpace
	ErrIO
	ErrLocked
	ErrPermission
	ErrUnsupported
	ErrTooManyFiles
	ErrNotEmpty
)

var errText = [...]string{"ok", "no such file", "file exists", "no space left on device", "input/output error", "locked by another process", "permission denied", "not supported", "too many open files", "directory not empty"}

// Error makes Err an error. OK is not one: compare with OK before passing it on.
func (e Err) Error() string { return errText[e] }

// Request asks one thing of the disk. Bytes, Vec and what they alias stay put until the completion; the issuer holds the leases.
type Request struct {
	Kind    Kind
	Flags   Flags
	File    File
	Token   Token
	Off     int64
	Size    int64
	Bytes   []byte   // Read: filled from Off
	Vec     [][]byte // Write: written one after another from Off
	Path    string   // slash-separated, as the configuration names the directory
	NewPath string
}

// Completion answers the Request with the same Token.
type Completion struct {
	Token  Token
	N      int64
	Total  int64 // Free
	Err    Err
	Names  []string // List
	Detail string   // with an error: the driver's own words, for the log line only
}

// Extent is a range of a file that a response carries. It pins the file until the Send that holds it is done.
type Extent struct {
	File File
	Len  int32
	Off  int64
}
