// Package quota holds back what goes faster than it may.
//
//	Take(now, n) ──▶ level ──▶ Wait(now): 0 while anything is left, else how long until it is
//
// A Bucket fills at its rate, up to what a second brings. What is taken may exceed what is there, since a response is not cut for it: the
// debt is waited for, so that the rate holds over any longer time.
//
// It knows nothing of whom it slows: the replicas' throttles (KIP-73) are in core/api for leaders and in core/fetcher for followers.
package quota
