package api

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
	"github.com/seedlog/seedlog/core/metadata"
)

// configurable are the kinds of resource that have settings, in the order in which they are listed.
var configurable = []int8{metadata.ResourceTopic, metadata.ResourceBroker, metadata.ResourceBrokerLogger, metadata.ResourceClientMetrics, metadata.ResourceGroup}

// listConfigResources serves ListConfigResources (key 74), v0–1 (KIP-1000, KIP-1142): topics and brokers that are there, groups and subscriptions to
// clients' metrics that somebody has configured. Version 0 is of subscriptions alone; in version 1 none stands for all kinds.
//
// UNSUPPORTED_VERSION: a kind that has no settings.
func listConfigResources(r *Request, req kmsg.Request) {
	resp := kmsg.NewPtrListConfigResourcesResponse()
	kinds := req.(*kmsg.ListConfigResourcesRequest).ResourceTypes
	switch {
	case r.Version == 0:
		kinds = []int8{metadata.ResourceClientMetrics}
	case len(kinds) == 0:
		kinds = configurable
	case slices.ContainsFunc(kinds, func(k int8) bool { return !slices.Contains(configurable, k) }):
		resp.ErrorCode = code(kerr.UnsupportedVersion)
		r.answer(resp)
		return
	}
	for _, kind := range configurable {
		if slices.Contains(kinds, kind) {
			r.listKind(resp, kind)
		}
	}
	r.answer(resp)
}

func (r *Request) listKind(resp *kmsg.ListConfigResourcesResponse, kind int8) {
	add := func(name string) {
		x := kmsg.NewListConfigResourcesResponseConfigResource()
		x.Type, x.Name = kind, name
		resp.ConfigResources = append(resp.ConfigResources, x)
	}
	img := r.s.Image
	switch kind {
	case metadata.ResourceTopic:
		for _, t := range img.Topics() {
			add(t.Name)
		}
	case metadata.ResourceBroker, metadata.ResourceBrokerLogger:
		for _, b := range img.Brokers() {
			if !b.Fenced && b.Listener(r.Client.Listener) != nil {
				add(strconv.Itoa(int(b.ID)))
			}
		}
	default:
		for _, x := range img.Resources() {
			if x.Type == kind {
				add(x.Name)
			}
		}
	}
}
