package commitlog

import "strconv"

// Suffixes of the files of a partition's directory, as Kafka names them.
const (
	suffixLog       = ".log"
	suffixIndex     = ".index"
	suffixTimeIndex = ".timeindex"
	suffixTxnIndex  = ".txnindex"
	suffixSnapshot  = ".snapshot"
	suffixDeleted   = ".deleted"
	suffixCleaned   = ".cleaned"
	suffixSwap      = ".swap"
	suffixTemp      = ".tmp"

	nameEpochs   = "leader-epoch-checkpoint"
	nameMetadata = "partition.metadata"
	nameLowered  = "truncation-checkpoint"
)

const nameDigits = 20

// fileName gives NNNNNNNNNNNNNNNNNNNN + suffix for a base offset.
func fileName(offset int64, suffix string) string {
	var b [nameDigits]byte
	for i := range b {
		b[i] = '0'
	}
	s := strconv.AppendInt(nil, offset, 10)
	copy(b[nameDigits-len(s):], s)
	return string(b[:]) + suffix
}

// parseName splits a file name of a segment; ok is false for any other name.
func parseName(name string) (offset int64, suffix string, ok bool) {
	if len(name) <= nameDigits || name[nameDigits] != '.' {
		return 0, "", false
	}
	for i := 0; i < nameDigits; i++ {
		if name[i] < '0' || name[i] > '9' {
			return 0, "", false
		}
	}
	v, err := strconv.ParseInt(name[:nameDigits], 10, 64)
	return v, name[nameDigits:], err == nil
}

func (l *Log) path(offset int64, suffix string) string { return l.dir + "/" + fileName(offset, suffix) }

// parent gives the directory that holds the log's own.
func parent(dir string) string {
	for i := len(dir) - 1; i >= 0; i-- {
		if dir[i] == '/' {
			return dir[:max(i, 1)]
		}
	}
	return "."
}
