package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// Cold decodes the body of a request of any API through kmsg. It reports false for an unknown API or version and for a malformed body. The
// strings of the request are copies; its byte slices alias the body, in which lengths may be rewritten (see walk).
func Cold(key, version int16, body []byte) (kmsg.Request, bool) {
	if !Known(key) || version < 0 {
		return nil, false
	}
	req := kmsg.RequestForKey(key)
	if version > req.MaxVersion() {
		return nil, false
	}
	if !wellFormed(key, version, body) {
		return nil, false
	}
	req.SetVersion(version)
	if err := req.ReadFrom(body); err != nil {
		return nil, false
	}
	return req, true
}

// ColdAnswer decodes the body of another broker's answer to a request of ours, in the version that the request had; false if it is none.
func ColdAnswer(key, version int16, body []byte) (kmsg.Response, bool) {
	if !Known(key) || version < 0 {
		return nil, false
	}
	resp := kmsg.ResponseForKey(key)
	if version > resp.MaxVersion() || !wellFormedAnswer(key, version, body) {
		return nil, false
	}
	resp.SetVersion(version)
	if err := resp.ReadFrom(body); err != nil {
		return nil, false
	}
	return resp, true
}

// AppendCold writes the body of a response, in the version that it is set to.
func AppendCold(dst []byte, resp kmsg.Response) []byte { return resp.AppendTo(dst) }

// AppendColdResponse writes the whole frame of an answer.
func AppendColdResponse(dst []byte, corr int32, resp kmsg.Response) []byte {
	dst, start := StartFrame(dst)
	dst = AppendResponseHeader(dst, resp.Key(), resp.GetVersion(), corr)
	return FinishFrame(resp.AppendTo(dst), start, 0)
}
