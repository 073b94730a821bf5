package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// Clients are not authorized, as in a Kafka without authorizer.class.name: there are no ACLs to describe, to make or to delete. CreateAcls and
// DeleteAcls say so of each thing that is asked.

// describeACLs serves DescribeAcls (key 29): SECURITY_DISABLED.
func describeACLs(r *Request, _ kmsg.Request) {
	resp := kmsg.NewPtrDescribeACLsResponse()
	resp.ErrorCode, resp.ErrorMessage = code(kerr.SecurityDisabled), kmsg.StringPtr("No Authorizer is configured on the broker")
	r.answer(resp)
}

const noAuthorizer = "No Authorizer is configured."

// createACLs serves CreateAcls (key 30): SECURITY_DISABLED.
func createACLs(r *Request, req kmsg.Request) {
	resp := kmsg.NewPtrCreateACLsResponse()
	for range req.(*kmsg.CreateACLsRequest).Creations {
		x := kmsg.NewCreateACLsResponseResult()
		x.ErrorCode, x.ErrorMessage = code(kerr.SecurityDisabled), kmsg.StringPtr(noAuthorizer)
		resp.Results = append(resp.Results, x)
	}
	r.answer(resp)
}

// deleteACLs serves DeleteAcls (key 31): SECURITY_DISABLED.
func deleteACLs(r *Request, req kmsg.Request) {
	resp := kmsg.NewPtrDeleteACLsResponse()
	for range req.(*kmsg.DeleteACLsRequest).Filters {
		x := kmsg.NewDeleteACLsResponseResult()
		x.ErrorCode, x.ErrorMessage = code(kerr.SecurityDisabled), kmsg.StringPtr(noAuthorizer)
		resp.Results = append(resp.Results, x)
	}
	r.answer(resp)
}
