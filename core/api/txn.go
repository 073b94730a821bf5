package api

import "github.com/seedlog/seedlog/core/coordinator"

// VerifyCall is coordinator.VerifyCall.
type VerifyCall = coordinator.VerifyCall

// Txn is the way to transaction coordinators, wherever they are. Each shard has one.
type Txn interface {
	// Verify has v answered. Calls of one round for one producer may be asked together, so whoever has several makes them without waiting.
	Verify(v VerifyCall)
}
