package controller

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// AlterConfigs and IncrementalAlterConfigs ask the same things in two shapes. They are read into one, and answered from one.

// change is one asked change of one setting.
type change struct {
	key   string
	op    kmsg.IncrementalAlterConfigOp
	value *string
}

// resource is what changes are asked of.
type resource struct {
	kind int8
	name string
}

// asked is what a request wants of one resource.
type asked struct {
	resource
	changes []change
}

// askedOf gives what a request wants, in its order; nil if it changes no settings. AlterConfigs sets all that it names.
func askedOf(req kmsg.Request) (out []asked) {
	switch q := req.(type) {
	case *kmsg.AlterConfigsRequest:
		for i := range q.Resources {
			r := &q.Resources[i]
			a := asked{resource{int8(r.ResourceType), r.ResourceName}, make([]change, 0, len(r.Configs))}
			for j := range r.Configs {
				a.changes = append(a.changes, change{r.Configs[j].Name, kmsg.IncrementalAlterConfigOpSet, r.Configs[j].Value})
			}
			out = append(out, a)
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		for i := range q.Resources {
			r := &q.Resources[i]
			a := asked{resource{int8(r.ResourceType), r.ResourceName}, make([]change, 0, len(r.Configs))}
			for j := range r.Configs {
				a.changes = append(a.changes, change{r.Configs[j].Name, r.Configs[j].Op, r.Configs[j].Value})
			}
			out = append(out, a)
		}
	}
	return out
}

// timesOf counts how often each resource is named.
func timesOf(all []asked) map[resource]int {
	times := make(map[resource]int, len(all))
	for _, a := range all {
		times[a.resource]++
	}
	return times
}

// configAnswer is the answer that has bad(i) for the i-th resource of the request.
func configAnswer(req kmsg.Request, bad func(i int) refusal) kmsg.Response {
	resp := req.ResponseKind()
	fillConfigs(req, resp, bad)
	return resp
}

func fillConfigs(req kmsg.Request, resp kmsg.Response, bad func(i int) refusal) {
	switch r := resp.(type) {
	case *kmsg.AlterConfigsResponse:
		for i, a := range askedOf(req) {
			out := kmsg.NewAlterConfigsResponseResource()
			out.ResourceType, out.ResourceName = kmsg.ConfigResourceType(a.kind), a.name
			out.ErrorCode, out.ErrorMessage = int16(bad(i).code), bad(i).message()
			r.Resources = append(r.Resources, out)
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for i, a := range askedOf(req) {
			out := kmsg.NewIncrementalAlterConfigsResponseResource()
			out.ResourceType, out.ResourceName = kmsg.ConfigResourceType(a.kind), a.name
			out.ErrorCode, out.ErrorMessage = int16(bad(i).code), bad(i).message()
			r.Resources = append(r.Resources, out)
		}
	}
}

// refusalsOf reads an answer, which has one for each resource of its request.
func refusalsOf(resp kmsg.Response) (out []refusal) {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	switch r := resp.(type) {
	case *kmsg.AlterConfigsResponse:
		for i := range r.Resources {
			out = append(out, refusal{kerr.Code(r.Resources[i].ErrorCode), text(r.Resources[i].ErrorMessage)})
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for i := range r.Resources {
			out = append(out, refusal{kerr.Code(r.Resources[i].ErrorCode), text(r.Resources[i].ErrorMessage)})
		}
	}
	return out
}

// only gives a copy of a request that has those of its resources that keep names.
func only(req kmsg.Request, keep func(i int) bool) kmsg.Request {
	switch q := req.(type) {
	case *kmsg.AlterConfigsRequest:
		rest := *q
		rest.Resources = kept(q.Resources, keep)
		return &rest
	case *kmsg.IncrementalAlterConfigsRequest:
		rest := *q
		rest.Resources = kept(q.Resources, keep)
		return &rest
	}
	return nil
}

func kept[T any](all []T, keep func(i int) bool) (out []T) {
	for i := range all {
		if keep(i) {
			out = append(out, all[i])
		}
	}
	return out
}
