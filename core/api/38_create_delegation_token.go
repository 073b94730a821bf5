package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/kerr"
)

// Delegation tokens (KIP-48) are refused with DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as by a Kafka on a listener
// where clients do not prove who they are.

// Who a client is that has not proved who it is.
const (
	anonymousType = "User"
	anonymous     = "ANONYMOUS"
)

// createToken serves CreateDelegationToken (key 38). The answer names who would own the token and, since v3, who asked for it.
func createToken(r *Request, req kmsg.Request) {
	q := req.(*kmsg.CreateDelegationTokenRequest)
	resp := kmsg.NewPtrCreateDelegationTokenResponse()
	resp.ErrorCode = code(kerr.DelegationTokenRequestNotAllowed)
	resp.PrincipalType, resp.PrincipalName = anonymousType, anonymous
	if q.OwnerPrincipalName != nil && *q.OwnerPrincipalName != "" {
		resp.PrincipalName, resp.PrincipalType = *q.OwnerPrincipalName, ""
		if q.OwnerPrincipalType != nil {
			resp.PrincipalType = *q.OwnerPrincipalType
		}
	}
	resp.TokenRequesterPrincipalType, resp.TokenRequesterPrincipalName = anonymousType, anonymous
	resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = -1, -1, -1
	r.answer(resp)
}

// renewToken serves RenewDelegationToken (key 39).
func renewToken(r *Request, _ kmsg.Request) {
	resp := kmsg.NewPtrRenewDelegationTokenResponse()
	resp.ErrorCode, resp.ExpiryTimestamp = code(kerr.DelegationTokenRequestNotAllowed), -1
	r.answer(resp)
}

// expireToken serves ExpireDelegationToken (key 40).
func expireToken(r *Request, _ kmsg.Request) {
	resp := kmsg.NewPtrExpireDelegationTokenResponse()
	resp.ErrorCode, resp.ExpiryTimestamp = code(kerr.DelegationTokenRequestNotAllowed), -1
	r.answer(resp)
}

// describeTokens serves DescribeDelegationToken (key 41).
func describeTokens(r *Request, _ kmsg.Request) {
	resp := kmsg.NewPtrDescribeDelegationTokenResponse()
	resp.ErrorCode = code(kerr.DelegationTokenRequestNotAllowed)
	r.answer(resp)
}
