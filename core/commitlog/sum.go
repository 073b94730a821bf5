package commitlog

import (
	"bytes"
	"hash/crc32"
	"strconv"
)

// A checkpoint is a text of numbers, and one that has rotted into another number reads as well as the right one. So ours end with their CRC-32C,
// where Kafka's readers do not see it: they split a line at white space and drop what is empty behind. The last line ends in 32 blanks, one a bit
// and the most significant first: a space is 0, a tab 1. A checkpoint without blanks is Kafka's own, or was edited, and is taken as it is. One
// without entries has no sum: whatever changes there is malformed.
const sumBlanks = 32

var blank = [2]byte{' ', '\t'}

// appendSum ends a checkpoint, which begins at from in b.
func appendSum(b []byte, from int) []byte {
	body := b[from : len(b)-1]
	if bytes.Count(body, []byte("\n")) < 2 {
		return b
	}
	sum := crc32.Checksum(body, castagnoli)
	b = b[:len(b)-1]
	for i := range sumBlanks {
		b = append(b, blank[sum>>(sumBlanks-1-i)&1])
	}
	return append(b, '\n')
}

// withoutSum gives a checkpoint's text without the last line's end, and whether its sum is right, if it has one.
func withoutSum(text []byte) (body []byte, ok bool) {
	text = bytes.TrimSuffix(text, []byte("\n"))
	body = bytes.TrimRight(text, " \t")
	blanks := text[len(body):]
	if len(blanks) == 0 {
		return body, true
	}
	sum := uint32(0)
	for _, b := range blanks {
		sum <<= 1
		if b == blank[1] {
			sum |= 1
		}
	}
	return body, len(blanks) == sumBlanks && sum == crc32.Checksum(body, castagnoli)
}

// sumLine is the third line of partition.metadata, of which Kafka reads two.
func sumLine(text []byte) string {
	return "crc32c: " + strconv.FormatUint(uint64(crc32.Checksum(text, castagnoli)), 16) + "\n"
}
