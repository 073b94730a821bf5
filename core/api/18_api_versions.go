package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
)

// ApiVersions (key 18): KIP-35, KIP-511. A version that is not served is answered with UNSUPPORTED_VERSION in the form of version 0 (Start).
const keyApiVersions = 18

func apiVersions(r *Request, req kmsg.Request) {
	q := req.(*kmsg.ApiVersionsRequest)
	resp := r.s.versions(r.Version, r.Client)
	if r.Version >= 3 && !(softwareName(q.ClientSoftwareName) && softwareName(q.ClientSoftwareVersion)) {
		resp = kmsg.NewPtrApiVersionsResponse()
		resp.ErrorCode = code(kerr.InvalidRequest)
	} else if r.Version >= 3 {
		r.Client.Software = q.ClientSoftwareName + " " + q.ClientSoftwareVersion
	}
	r.answer(resp)
}

// versions advertises the table, and the features that the cluster has finalized (KIP-584). Those whose APIs are not served are not named.
func (s *State) versions(version int16, c *Client) *kmsg.ApiVersionsResponse {
	resp := kmsg.NewPtrApiVersionsResponse()
	for _, f := range controller.Features {
		resp.SupportedFeatures = append(resp.SupportedFeatures, kmsg.ApiVersionsResponseSupportedFeature{Name: f.Name, MinVersion: f.Min, MaxVersion: f.Max})
	}
	for _, f := range s.Image.Features() {
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, kmsg.ApiVersionsResponseFinalizedFeature{
			Name: f.Name, MinVersionLevel: f.Level, MaxVersionLevel: f.Level,
		})
	}
	resp.FinalizedFeaturesEpoch = s.Image.Index()
	resp.Version = version
	for i := range Table {
		if !Table[i].servedAt(c) {
			continue
		}
		resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: Table[i].Key, MinVersion: Table[i].Min, MaxVersion: Table[i].Max})
	}
	return resp
}

// softwareName is KIP-511's pattern: [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
func softwareName(s string) bool {
	if s == "" || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !alnum(s[i]) && s[i] != '-' && s[i] != '.' {
			return false
		}
	}
	return true
}

func alnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
