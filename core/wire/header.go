package wire

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/assert"
)

// Header is what precedes each request. ClientID aliases the frame.
type Header struct {
	Key         int16
	Version     int16
	Corr        int32
	ClientID    []byte
	HasClientID bool
	Flexible    bool // request header v2, and a body with compact lengths and tagged fields (KIP-482)
}

const (
	keyControlledShutdown = 7
	keyApiVersions        = 18
	maxKey                = 127
	neverFlexible         = 1 << 14 // above all versions
	unknownKey            = -1
)

// firstFlexible is, by API key, the first version with compact encodings. Kafka gives each API one such point, for its request and its
// response alike.
var firstFlexible = func() (t [maxKey + 1]int16) {
	for key := range t {
		t[key] = flexibleFrom(int16(key))
	}
	return t
}()

func flexibleFrom(key int16) int16 {
	req := kmsg.RequestForKey(key)
	if req == nil {
		return unknownKey
	}
	for v := int16(0); v <= req.MaxVersion(); v++ {
		if req.SetVersion(v); req.IsFlexible() {
			return v
		}
	}
	return neverFlexible
}

// Known says whether Kafka has an API of that key.
func Known(key int16) bool {
	return key >= 0 && key <= maxKey && firstFlexible[key] != unknownKey
}

// Flexible says whether the API's messages are flexible (KIP-482) at that version, which need not be one that is served.
func Flexible(key, version int16) bool { return Known(key) && version >= firstFlexible[key] }

// ParseHeader reads the request header of a frame (without its length). It reports false for a key that Kafka does not have, since the
// header's form depends on it, and for a frame too short; Kafka closes the connection on both. A version need not be supported.
func ParseHeader(frame []byte) (h Header, body []byte, ok bool) {
	r := Reader{B: frame}
	h.Key, h.Version, h.Corr = r.Int16(), r.Int16(), r.Int32()
	if !r.OK() || !Known(h.Key) {
		return h, nil, false
	}
	h.Flexible = Flexible(h.Key, h.Version)
	if h.Key == keyControlledShutdown && h.Version == 0 {
		return h, r.B, true // the one use of request header v0
	}
	h.ClientID, h.HasClientID = r.NullableString(false) // not compact in header v2 either (KIP-482)
	r.SkipTags(h.Flexible)
	return h, r.B, r.OK()
}

// AppendRequestHeader writes the header of a request that we send ourselves.
func AppendRequestHeader[S text](dst []byte, key, version int16, corr int32, clientID S) []byte {
	dst = AppendInt16(dst, key)
	dst = AppendInt16(dst, version)
	dst = AppendInt32(dst, corr)
	if key == keyControlledShutdown && version == 0 {
		return dst
	}
	dst = AppendString(dst, false, clientID)
	return AppendNoTags(dst, Flexible(key, version))
}

// flexibleResponseHeader: that of ApiVersions never is, so that a client that asks with a version unknown to the broker can read the answer
// (KIP-511).
func flexibleResponseHeader(key, version int16) bool {
	return key != keyApiVersions && Flexible(key, version)
}

// AppendResponseHeader writes the correlation id and, in response header v1, no tagged fields.
func AppendResponseHeader(dst []byte, key, version int16, corr int32) []byte {
	return AppendNoTags(AppendInt32(dst, corr), flexibleResponseHeader(key, version))
}

// ParseResponseHeader reads the header of an answer to a request that we sent.
func ParseResponseHeader(frame []byte, key, version int16) (corr int32, body []byte, ok bool) {
	r := Reader{B: frame}
	corr = r.Int32()
	r.SkipTags(flexibleResponseHeader(key, version))
	return corr, r.B, r.OK()
}

// StartFrame leaves room for the length of a frame that begins at start.
func StartFrame(dst []byte) (out []byte, start int) { return append(dst, 0, 0, 0, 0), len(dst) }

// FinishFrame fills in the length of the frame: all of dst from start on, and extra bytes that leave as extents in between.
func FinishFrame(dst []byte, start int, extra int64) []byte {
	size := int64(len(dst)-start-4) + extra
	assert.That(size >= 0 && size <= 1<<31-1, "a frame fits an int32 length")
	binary.BigEndian.PutUint32(dst[start:], uint32(size))
	return dst
}
