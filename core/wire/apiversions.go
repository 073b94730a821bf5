package wire

import "github.com/seedlog/seedlog/core/kerr"

// Versions of ApiVersions that this codec reads and writes.
const (
	ApiVersionsMin, ApiVersionsMax = 0, 4
	apiVersionsThrottle            = 1
	apiVersionsFlexible            = 3
	apiVersionsLevelZero           = 4 // KAFKA-17011
)

// ApiVersionsRequest is an ApiVersions request. Slices alias the frame. The caller judges the names (KIP-511).
type ApiVersionsRequest struct {
	SoftwareName    []byte // v3+
	SoftwareVersion []byte // v3+
}

// Decode reads the body of a request of that version, in ApiVersionsMin to ApiVersionsMax. The body of another version is not read at all: the
// answer is UNSUPPORTED_VERSION in the form of v0, whatever it holds (KIP-511).
func (q *ApiVersionsRequest) Decode(version int16, body []byte) bool {
	*q = ApiVersionsRequest{}
	r := Reader{B: body}
	if version >= apiVersionsFlexible {
		q.SoftwareName, q.SoftwareVersion = r.String(true), r.String(true)
		r.SkipTags(true)
	}
	return r.OK()
}

// ApiVersionsResponse answers an ApiVersions request.
type ApiVersionsResponse struct {
	Code           kerr.Code
	Keys           []ApiKey
	ThrottleMS     int32     // v1+
	Supported      []Feature // v3+; below v4, those with Min 0 are left out, since such clients cannot read them
	FinalizedEpoch int64     // v3+; -1: unknown, and nothing is finalized
	Finalized      []Feature // v3+
}

// ApiKey is one API's range of versions.
type ApiKey struct{ Key, Min, Max int16 }

// Feature is a feature's range of versions, or of finalized levels.
type Feature struct {
	Name     string
	Min, Max int16
}

// AppendApiVersionsResponse writes the whole frame of an answer. For UNSUPPORTED_VERSION the caller gives version 0.
func AppendApiVersionsResponse(dst []byte, version int16, corr int32, a *ApiVersionsResponse) []byte {
	flex := version >= apiVersionsFlexible
	dst, start := StartFrame(dst)
	dst = AppendResponseHeader(dst, keyApiVersions, version, corr)
	dst = AppendInt16(dst, int16(a.Code))
	dst = AppendArray(dst, flex, len(a.Keys))
	for _, k := range a.Keys {
		dst = AppendInt16(dst, k.Key)
		dst = AppendInt16(dst, k.Min)
		dst = AppendInt16(dst, k.Max)
		dst = AppendNoTags(dst, flex)
	}
	if version >= apiVersionsThrottle {
		dst = AppendInt32(dst, a.ThrottleMS)
	}
	if flex {
		dst = a.tags(dst, version)
	}
	return FinishFrame(dst, start, 0)
}

func (a *ApiVersionsResponse) tags(dst []byte, version int16) []byte {
	supported := 0
	for _, f := range a.Supported {
		if f.shown(version) {
			supported++
		}
	}
	at := len(dst) // the number of tags, filled in below
	dst = append(dst, 0)
	if supported > 0 {
		dst[at]++
		var tag int
		dst, tag = startTag(dst, 0)
		dst = AppendArray(dst, true, supported)
		for _, f := range a.Supported {
			if f.shown(version) {
				dst = f.append(dst, f.Min, f.Max)
			}
		}
		dst = finishTag(dst, tag)
	}
	if a.FinalizedEpoch != -1 {
		dst[at]++
		dst = AppendInt64(append(dst, 1, 8), a.FinalizedEpoch)
	}
	if len(a.Finalized) > 0 {
		dst[at]++
		var tag int
		dst, tag = startTag(dst, 2)
		dst = AppendArray(dst, true, len(a.Finalized))
		for _, f := range a.Finalized {
			dst = f.append(dst, f.Max, f.Min) // in this order, unlike the supported ones
		}
		dst = finishTag(dst, tag)
	}
	return dst
}

func (f *Feature) shown(version int16) bool { return version >= apiVersionsLevelZero || f.Min != 0 }

func (f *Feature) append(dst []byte, first, second int16) []byte {
	dst = AppendString(dst, true, f.Name)
	dst = AppendInt16(dst, first)
	dst = AppendInt16(dst, second)
	return append(dst, 0)
}
